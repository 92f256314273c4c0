"""`remote`: settings, what hangs on them, and what the other side has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from muse.core.errors import (
    AlreadyExistsError,
    MuseError,
    RefNotFoundError,
    RemoteError,
    UnsafeNameError,
    UsageError,
)
from muse.core.paths import config_path
from muse.core.refs import HEADS
from muse.core.repo import Repository, open_repo
from muse.core.upstream import find_upstream
from muse.ops.fetch import fetch
from muse.ops.push import PushOptions, push
from muse.ops.remote import add_remote, remove_remote, rename_remote, set_remote_url, show_remote
from muse.ops.remote_config import address_from, config_key, find_remote, list_remotes
from tests.remotes.repositories import add_commit, make_repo, set_ref


@pytest.fixture
def hub(tmp_path: Path) -> Repository:
    """A place to push to."""
    return make_repo(tmp_path / "hub", bare=True)


@pytest.fixture
def repo(tmp_path: Path, hub: Repository) -> Repository:
    """A repository that pushed ``main`` to ``origin`` and follows it."""
    repo = make_repo(tmp_path / "repo", origin=hub.root)
    add_commit(repo, {b"a": b"1"})
    push(repo, branches=["main"], options=PushOptions(set_upstream=True))
    return repo


class TestSettings:
    """Remotes are tables of config.toml, changed with its comments kept."""

    def test_add_list_find(self, repo: Repository) -> None:
        """A remote is there at once, and for whoever opens the repository next."""
        add_remote(repo, "backup", "../backup")
        names = [(each.name, each.url) for each in list_remotes(open_repo(repo.root))]
        assert names[0] == ("backup", "../backup")
        assert find_remote(repo, "backup").url == "../backup"

    def test_comments_are_kept(self, repo: Repository) -> None:
        """What a person wrote into the file stays."""
        path = config_path(repo.root)
        path.write_text(path.read_text() + "\n# mine\n")
        add_remote(repo, "backup", "../backup")
        remove_remote(repo, "backup")
        assert "# mine" in path.read_text()

    def test_names_that_are_taken_or_unsafe(self, repo: Repository) -> None:
        """Each is refused, and the file stays."""
        before = config_path(repo.root).read_bytes()
        with pytest.raises(AlreadyExistsError):
            add_remote(repo, "origin", "../x")
        for name in ("", "a/b", "..", "a b", "-x", "x.lock", 'q"q', "a\nb"):
            with pytest.raises(MuseError):
                add_remote(repo, name, "../x")
        for url in ("", "  ", "a\nb", "file://host/x", "file://", "\x1b[2J"):
            with pytest.raises(UsageError):
                set_remote_url(repo, "origin", url)
        assert config_path(repo.root).read_bytes() == before

    def test_unknown_remotes(self, repo: Repository) -> None:
        """Exit code 4, naming those that exist."""
        changes: tuple[Callable[[], object], ...] = (
            lambda: find_remote(repo, "up"),
            lambda: remove_remote(repo, "up"),
            lambda: rename_remote(repo, "up", "down"),
            lambda: set_remote_url(repo, "up", "../x"),
        )
        for change in changes:
            with pytest.raises(RefNotFoundError) as caught:
                change()
            assert "origin" in caught.value.hint

    def test_removing_takes_what_hangs_on_it(self, repo: Repository, hub: Repository) -> None:
        """Remembered branches and upstreams go; the place itself stays."""
        remove_remote(repo, "origin")
        assert list_remotes(repo) == ()
        assert list(repo.refs.iter("refs/remotes/")) == []
        assert find_upstream(repo.config, "main") is None
        assert hub.refs.read(HEADS + "main") is not None

    def test_renaming_takes_what_hangs_on_it(self, repo: Repository) -> None:
        """Remembered branches and upstreams are renamed, and pushing goes on."""
        rename_remote(repo, "origin", "hub")
        assert [each.name for each in list_remotes(repo)] == ["hub"]
        upstream = find_upstream(repo.config, "main")
        assert upstream is not None
        assert repo.refs.read(upstream.tracking) == repo.refs.read(HEADS + "main")
        assert [name for name, _ in repo.refs.iter("refs/remotes/")] == ["refs/remotes/hub/main"]
        assert push(repo).up_to_date
        add_remote(repo, "other", "../x")
        with pytest.raises(AlreadyExistsError):
            rename_remote(repo, "hub", "other")

    def test_branch_names_with_dots(self, repo: Repository) -> None:
        """``branch."v1.0"`` is one table, not two."""
        set_ref(repo, HEADS + "v1.0", repo.refs.read(HEADS + "main"))
        push(repo, branches=["v1.0"], options=PushOptions(set_upstream=True))
        upstream = find_upstream(open_repo(repo.root).config, "v1.0")
        assert upstream is not None
        assert upstream.merge == "refs/heads/v1.0"
        assert config_key("branch", "v1.0", "remote") == 'branch."v1.0".remote'

    def test_typed_paths_become_relative_to_the_repository(self, tmp_path: Path) -> None:
        """A path typed in a subfolder means the same place afterwards; other forms stay."""
        root = tmp_path / "repo"
        (root / "sub").mkdir(parents=True)
        assert address_from("../../hub", cwd=root / "sub", root=root) == "../hub"
        assert address_from("hub", cwd=tmp_path, root=root) == "../hub"
        assert address_from("/srv/hub", cwd=tmp_path, root=root) == "/srv/hub"
        assert address_from("file:///srv/hub", cwd=tmp_path, root=root) == "file:///srv/hub"
        assert address_from("ssh://host/x", cwd=tmp_path, root=root) == "ssh://host/x"

    def test_secrets_are_not_shown(self, repo: Repository) -> None:
        """The address is stored as typed, and shown without its secret."""
        remote = add_remote(repo, "cloud", "https://me:s3cret@host/x?token=abc")
        assert "s3cret" in remote.url
        assert remote.shown_url == "https://host/x"

    def test_a_name_below_an_unsafe_one(self, repo: Repository) -> None:
        """``a/b`` would mix two remotes' branches."""
        with pytest.raises(UnsafeNameError):
            add_remote(repo, "a/b", "../x")


class TestShow:
    """`show` asks the other side and compares."""

    def test_every_state_of_a_branch(self, repo: Repository, hub: Repository) -> None:
        """As fetched, moved, new, gone; and who follows what, by how much."""
        for name in ("old", "gone"):
            set_ref(hub, HEADS + name, hub.refs.read(HEADS + "main"))
        fetch(repo)
        add_commit(hub, {b"b": b"2"}, branch="old")
        set_ref(hub, HEADS + "gone", None)
        set_ref(hub, HEADS + "fresh", hub.refs.read(HEADS + "main"))
        set_ref(hub, "refs/tags/v1", hub.refs.read(HEADS + "main"))
        add_commit(repo, {b"c": b"3"})
        details = show_remote(repo, "origin")
        assert {each.name: each.state for each in details.branches} == {
            "fresh": "new",
            "gone": "stale",
            "main": "current",
            "old": "changed",
        }
        assert (details.head, details.tags) == ("main", 1)
        (following,) = details.following
        assert (following.name, following.ahead, following.behind) == ("main", 1, 0)

    def test_commits_that_were_not_fetched(self, repo: Repository, hub: Repository) -> None:
        """How far apart cannot be told before a fetch, and is not guessed."""
        add_commit(hub, {b"b": b"2"})
        (following,) = show_remote(repo, "origin").following
        assert (following.ahead, following.behind) == (None, None)

    def test_a_place_that_is_gone(self, repo: Repository, hub: Repository) -> None:
        """Exit code 5."""
        hub.root.rename(hub.root.with_name("moved"))
        with pytest.raises(RemoteError):
            show_remote(repo, "origin")
