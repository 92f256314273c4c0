"""`remote`, `push`, `fetch` as typed: output, JSON, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.repo import Repository, open_repo
from tests.cli.conftest import Cli
from tests.remotes.repositories import add_commit, make_repo, set_ref


@pytest.fixture
def hub(tmp_path: Path) -> Repository:
    """A bare repository, ``hub``."""
    return make_repo(tmp_path / "hub", bare=True)


@pytest.fixture
def song(tmp_path: Path, hub: Repository) -> Path:
    """A repository with one commit, ``song``."""
    add_commit(make_repo(tmp_path / "song"), {b"a": b"1"})
    return tmp_path / "song"


class TestRemote:
    """Adding, listing and changing remotes."""

    def test_add_and_list(self, cli: Cli, song: Path) -> None:
        """A relative path is stored relative to the repository; `-v` shows it."""
        assert cli("remote", "add", "origin", "../hub", cwd=song).code == 0
        assert cli("remote", cwd=song).out == "origin\n"
        assert cli("remote", "-v", cwd=song).out == "origin  ../hub\n"
        assert cli("remote", "--json", cwd=song).json == {
            "remotes": [{"name": "origin", "url": "../hub"}]
        }

    def test_every_change(self, cli: Cli, song: Path) -> None:
        """Each says what it did; JSON carries the remote."""
        cli("remote", "add", "origin", "../hub", cwd=song)
        assert "backup" in cli("remote", "rename", "origin", "backup", cwd=song).out
        assert cli("remote", "set-url", "backup", "../x", "--json", cwd=song).json["url"] == "../x"
        assert cli("remote", "get-url", "backup", cwd=song).out == "../x\n"
        assert cli("remote", "rm", "backup", cwd=song).code == 0
        assert cli("remote", cwd=song).out == ""

    def test_show(self, cli: Cli, song: Path) -> None:
        """Branches there, and how far ours are."""
        cli("push", "-u", "../hub", cwd=song)
        add_commit(open_repo(song), {b"a": b"2"})
        out = cli("remote", "show", "origin", cwd=song).out
        assert "main follows main: 1 commit ahead, 0 behind" in out
        data = cli("remote", "show", "origin", "--json", cwd=song).json
        assert data["branches"][0]["state"] == "current"
        assert data["following"] == [{"name": "main", "merge": "main", "ahead": 1, "behind": 0}]

    def test_unknown(self, cli: Cli, song: Path) -> None:
        """Exit code 4, as one JSON object when asked."""
        assert cli("remote", "show", "nowhere", cwd=song).code == 4
        assert cli("remote", "rm", "nowhere", "--json", cwd=song).json["exit_code"] == 4
        assert cli("remote", "frobnicate", cwd=song).code == 2


class TestPush:
    """What a push prints."""

    def test_first_second_and_third(self, cli: Cli, song: Path, hub: Repository) -> None:
        """Following, moving, and having nothing to do."""
        first = cli("push", "-u", "../hub", "main", cwd=song)
        assert first.code == 0
        assert "new" in first.out
        assert "follows origin/main from now on" in first.out
        oid = add_commit(open_repo(song), {b"a": b"2"})
        second = cli("push", "--json", cwd=song).json
        assert second["refs"][0]["state"] == "updated"
        assert second["refs"][0]["new"] == oid == hub.refs.read("refs/heads/main")
        assert second["objects"] == 3
        third = cli("push", cwd=song)
        assert (third.code, third.out) == (0, "Up to date: origin has main already.\n")

    def test_without_upstream(self, cli: Cli, song: Path) -> None:
        """Refused with the whole command to type."""
        cli("remote", "add", "origin", "../hub", cwd=song)
        refused = cli("push", cwd=song)
        assert refused.code == 2
        assert "muse push -u origin main" in refused.err

    def test_diverged(self, cli: Cli, song: Path, hub: Repository) -> None:
        """Exit code 1 with both ids; a lease, with or without a value, decides."""
        cli("push", "-u", "../hub", cwd=song)
        theirs = add_commit(hub, {b"theirs": b"1"})
        ours = add_commit(open_repo(song), {b"ours": b"1"})
        refused = cli("push", cwd=song)
        assert refused.code == 1
        assert ours[7:17] in refused.err
        assert theirs[7:17] in refused.err
        assert cli("push", "--force-with-lease", "origin", "main", cwd=song).code == 1
        assert cli("push", f"--force-with-lease=main:{ours}", cwd=song).code == 1
        cli("fetch", cwd=song)
        assert cli("push", "--force-with-lease=main", cwd=song).code == 0
        set_ref(hub, "refs/heads/main", theirs)
        cli("fetch", cwd=song)
        done = cli("push", "--force-with-lease", "origin", "main", cwd=song)
        assert done.code == 0
        assert f"'main' was at {theirs[7:17]}" in done.out

    def test_forcing_is_spelled_out(self, cli: Cli, song: Path) -> None:
        """There is no short form of it."""
        assert cli("push", "-f", "../hub", "main", cwd=song).code == 2
        assert cli("push", "--force", "../hub", "main", cwd=song).code == 0

    def test_deleting_and_tags(self, cli: Cli, song: Path, hub: Repository) -> None:
        """The other options."""
        set_ref(open_repo(song), "refs/tags/v1", open_repo(song).refs.read("refs/heads/main"))
        cli("push", "-u", "../hub", "main:topic", "--tags", cwd=song)
        assert hub.refs.read("refs/tags/v1") is not None
        assert "deleted" in cli("push", "-d", "origin", "topic", cwd=song).out
        assert hub.refs.read("refs/heads/topic") is None
        assert cli("push", "-d", "origin", cwd=song).code == 2
        assert cli("push", "-d", "--tags", "origin", "x", cwd=song).code == 2

    def test_remotes_that_cannot_be_pushed_to(self, cli: Cli, song: Path, tmp_path: Path) -> None:
        """Exit code 5 and a hint: not there, no repository, checked out."""
        make_repo(tmp_path / "work")
        (tmp_path / "plain").mkdir()
        for place in ("../gone", "../plain", "../work"):
            refused = cli("push", place, "main", cwd=song)
            assert refused.code == 5
            assert "hint: " in refused.err
        data = cli("push", "../gone", "main", "--json", cwd=song).json
        assert (data["kind"], data["exit_code"]) == ("NoRepositoryThereError", 5)

    def test_from_a_subfolder(self, cli: Cli, song: Path, hub: Repository) -> None:
        """A path is relative to where it is typed."""
        (song / "sub").mkdir()
        assert cli("push", "-u", "../../hub", cwd=song / "sub").code == 0
        assert cli("push", cwd=song).code == 0


class TestFetch:
    """What a fetch prints."""

    def test_new_moved_and_nothing(self, cli: Cli, song: Path, hub: Repository) -> None:
        """The first, the second, and one without news."""
        cli("remote", "add", "origin", "../hub", cwd=song)
        add_commit(hub, {b"b": b"theirs"})
        first = cli("fetch", cwd=song)
        assert "new  origin/main" in first.out
        assert "3 objects" in first.out
        oid = add_commit(hub, {b"b": b"2"})
        data = cli("fetch", "--json", cwd=song).json
        assert data["refs"][0]["new"] == oid
        assert cli("fetch", cwd=song).out == "Up to date with origin.\n"

    def test_pruning_and_all(self, cli: Cli, song: Path, hub: Repository) -> None:
        """A stale branch is named until it is pruned; ``--all`` fetches from each."""
        cli("push", "-u", "../hub", "main:gone", cwd=song)
        oid = hub.refs.read("refs/heads/gone")
        set_ref(hub, "refs/heads/gone", None)
        assert "Gone there: origin/gone" in cli("fetch", cwd=song).out
        assert "pruned  origin/gone" in cli("fetch", "--prune", cwd=song).out
        set_ref(hub, "refs/heads/back", oid)
        data = cli("fetch", "--all", "--json", cwd=song).json
        assert [each["remote"] for each in data["remotes"]] == ["origin"]
        assert cli("fetch", "--all", "origin", cwd=song).code == 2

    def test_names_from_elsewhere_cannot_move_the_cursor(
        self, cli: Cli, song: Path, hub: Repository
    ) -> None:
        """A branch name with an escape sequence is refused where it would be set (G17)."""
        add_commit(hub, {b"b": b"1"})
        (hub.muse / "refs/heads/\x1b[2J").write_text("sha256:" + "1" * 64 + "\n")
        cli("remote", "add", "origin", "../hub", cwd=song)
        outcome = cli("fetch", cwd=song)
        assert "\x1b" not in outcome.out + outcome.err


class TestCloneAndPull:
    """What they print."""

    def test_clone_then_pull(self, cli: Cli, song: Path, tmp_path: Path) -> None:
        """A clone, a commit elsewhere, and a pull of it."""
        made = cli("clone", "song", "copy")
        assert made.code == 0
        assert "1 branch, 0 tags, 3 objects" in made.out
        assert "main." in made.out
        assert (tmp_path / "copy/a").read_bytes() == b"1"
        oid = add_commit(open_repo(song), {b"a": b"2"})
        data = cli("pull", "--json", cwd=tmp_path / "copy").json
        assert (data["new"], data["commits"], data["files"]) == (oid, 1, 1)
        assert data["fetched"]["refs"][0]["state"] == "updated"
        assert "Up to date" in cli("pull", cwd=tmp_path / "copy").out

    def test_clone_json_and_defaults(self, cli: Cli, song: Path, tmp_path: Path) -> None:
        """The folder is named after the source; a second time it is in the way."""
        (tmp_path / "elsewhere").mkdir()
        data = cli("clone", "../song", "--json", cwd=tmp_path / "elsewhere").json
        assert data["root"] == str(tmp_path / "elsewhere/song")
        assert (data["branch"], data["resumed"]) == ("main", False)
        again = cli("clone", "../song", cwd=tmp_path / "elsewhere")
        assert again.code == 1
        assert "not empty" in again.err

    def test_clone_of_nothing(self, cli: Cli, hub: Repository) -> None:
        """An empty source is cloned, and the output says that it is empty."""
        assert "empty" in cli("clone", "hub", "copy").out
        assert cli("clone", "gone").code == 5
        assert cli("clone", "hub", "x", "-b", "nope").code == 4

    def test_bare_clone(self, cli: Cli, song: Path, tmp_path: Path) -> None:
        """It can be pushed to at once."""
        assert cli("clone", "--bare", "song", "mirror").code == 0
        add_commit(open_repo(song), {b"a": b"2"})
        assert cli("push", "-u", "../mirror", cwd=song).code == 0

    def test_diverged_pull(self, cli: Cli, song: Path, tmp_path: Path) -> None:
        """Exit code 1, and what is typed next works: both histories are kept."""
        cli("clone", "song", "copy")
        copy = tmp_path / "copy"
        add_commit(open_repo(song), {b"a": b"theirs"})
        ours = add_commit(open_repo(copy), {b"a": b"1", b"ours": b"1"})
        (copy / "ours").write_bytes(b"1")
        refused = cli("pull", cwd=copy)
        assert refused.code == 1
        assert ours[7:17] in refused.err
        assert "muse branch main-mine" in refused.err
