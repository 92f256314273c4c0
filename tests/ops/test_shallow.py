"""History that ends on purpose: git cuts at the same commits, and everything knows the cut."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.ancestry import CommitGraph
from muse.core.errors import (
    BadTransferError,
    CorruptFileError,
    MuseError,
    NonFastForwardError,
    RemoteError,
    UsageError,
)
from muse.core.history import walk
from muse.core.object_store import ObjectStore
from muse.core.paths import shallow_path
from muse.core.refs import HEADS, TAGS
from muse.core.repo import Repository, open_repo
from muse.core.shallow import encode_shallow
from muse.core.types import ObjectId, RawId, from_raw, to_raw
from muse.ops.clone import CloneOptions, CloneResult, clone
from muse.ops.commit import commit
from muse.ops.doctor import doctor
from muse.ops.fetch import FetchOptions, fetch
from muse.ops.gc import gc
from muse.ops.git_bridge.export import git_export
from muse.ops.log import log
from muse.ops.pull import pull
from muse.ops.push import PushOptions, push
from muse.ops.remote import show_remote
from muse.ops.show import ShownCommit, show
from muse.ops.status import read_status
from muse.ops.undo import undo
from muse.ops.verify import verify
from tests.conftest import Run
from tests.ops.git_bridge_fixtures import clean_env
from tests.remotes.histories import give_to_git, random_history, write_tag
from tests.remotes.repositories import ADA, add_commit, make_repo, reachable, set_ref, settle

MAIN = HEADS + "main"


@pytest.fixture
def hub(tmp_path: Path) -> Repository:
    """The other side: six commits on ``main``, each of which adds a file."""
    repo = make_repo(tmp_path / "hub", bare=True)
    _grow(repo, 6)
    return repo


def _grow(repo: Repository, count: int, *, start: int = 0, branch: str = "main") -> list[ObjectId]:
    files = {b"base/%d" % n: b"%d\n" % n for n in range(40)}
    commits = []
    for number in range(start, start + count):
        files |= {b"f%d" % n: b"%d\n" % n for n in range(number + 1)}
        commits.append(add_commit(repo, files, branch=branch, message=f"c{number}\n"))
    return commits


def _clone(hub: Repository, name: str, *, depth: int | None = None) -> Repository:
    root = hub.root.parent / name
    _run_clone(hub, root, depth=depth)
    return open_repo(root)


def _run_clone(hub: Repository, root: Path, *, depth: int | None = None) -> CloneResult:
    options = CloneOptions(depth=depth, bare="bare" in root.name)
    return clone(str(hub.root), root, cwd=hub.root.parent, options=options)


def _commits(repo: Repository, *tips: ObjectId) -> set[RawId]:
    """Return the commits that a walk shows."""
    graph = CommitGraph(ObjectStore(repo.root))
    starts = [to_raw(tip) for tip in tips] or [to_raw(oid) for _, oid in repo.refs.iter()]
    return {entry.raw for entry in walk(graph, list(dict.fromkeys(starts)))}


def _tip(repo: Repository, name: str = MAIN) -> ObjectId:
    oid = repo.refs.read(name)
    assert oid is not None
    return oid


def _ends(repo: Repository) -> frozenset[RawId]:
    return ObjectStore(repo.root).boundary.read()


class TestAgainstGit:
    """git answers the same question."""

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        seed=st.integers(0, 2**32),
        commits=st.integers(2, 20),
        depths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    )
    def test_the_same_commits_as_git(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        git: Run,
        *,
        seed: int,
        commits: int,
        depths: list[int],
    ) -> None:
        """`clone --depth`, then deeper fetches, show the commits that git's show; all whole."""
        root = tmp_path_factory.mktemp("shallow")
        hub = make_repo(root / "hub", bare=True)
        made = random_history(hub.objects, seed, commits=commits)
        git("init", "-q", "--bare", "--object-format=sha256", "g", cwd=root)
        give_to_git(hub.objects, root / "g")
        for number, raw in enumerate(random.Random(seed).sample(made, k=2)):
            set_ref(hub, f"{HEADS}b{number}", from_raw(raw))
            git("update-ref", f"refs/heads/b{number}", raw.hex(), cwd=root / "g")
        url, first, *deeper = (root / "g").as_uri(), *sorted(depths)
        arguments = ("--no-single-branch", "--no-tags", f"--depth={first}", url, "c")
        git("clone", "-q", "--bare", *arguments, cwd=root)
        ours = _clone(hub, "bare", depth=first)
        assert _commits(ours) == _git_commits(git, root / "c")
        for depth in deeper:
            git("fetch", "-q", "--no-tags", f"--depth={depth}", url, "+refs/heads/*:refs/heads/*",
                cwd=root / "c")  # fmt: skip
            fetch(ours, options=FetchOptions(depth=depth, into=HEADS))
            assert _commits(ours) == _git_commits(git, root / "c")
        assert verify(ours).is_whole
        if _ends(ours):
            fetch(ours, options=FetchOptions(unshallow=True, into=HEADS))
        assert not shallow_path(ours.root).exists()
        assert reachable(open_repo(ours.root)) == reachable(hub)


def _git_commits(git: Run, git_dir: Path) -> set[RawId]:
    out = git("rev-list", "--all", cwd=git_dir).stdout
    return {RawId(bytes.fromhex(line.decode())) for line in out.split()}


class TestEverythingKnowsTheCut:
    """A commit at which history ends on purpose is one without parents, not a hole."""

    def test_what_walks_history_ends_there(self, hub: Repository) -> None:
        """log, show, verify, status and `remote show` say that it is shallow."""
        repo = _clone(hub, "s", depth=2)
        entries = list(log(repo, graph=True))
        assert [(e.commit.subject, e.cut) for e in entries] == [("c5", False), ("c4", True)]
        report = verify(repo)
        assert (report.is_whole, report.commits) == (True, 2)
        assert read_status(repo).shallow
        details = show_remote(repo, "origin")
        assert (details.shallow, details.shallow_here) == (False, True)
        shown = show(repo, from_raw(next(iter(_ends(repo)))))
        assert isinstance(shown, ShownCommit)
        # Against nothing, as git shows it: what it was built on is not here.
        assert len(shown.diff.changes) == 45

    def test_gc_keeps_all_above_and_misses_nothing_below(self, hub: Repository) -> None:
        """A collection takes nothing that is needed, and finds no gap."""
        repo = _clone(hub, "s", depth=3)
        before = _commits(repo)
        stray = repo.objects.write("blob", b"nothing refers to this")
        result = gc(repo, expire_before_s=time.time() + 1)
        assert (result.kept_because, result.dropped) == ("", 1)
        assert not ObjectStore(repo.root).has(stray)
        assert verify(open_repo(repo.root)).is_whole
        assert _commits(repo) == before

    def test_amending_the_commit_at_the_cut_moves_the_cut(self, hub: Repository) -> None:
        """The amended commit has the same parents, which are left out just the same."""
        repo = _clone(hub, "s", depth=1)
        old = repo.commit(_tip(repo))
        made = commit(repo, message="better", committer=ADA, amend=True)
        assert repo.commit(made.oid).parents == old.parents
        assert to_raw(made.oid) in _ends(repo)
        assert verify(open_repo(repo.root)).is_whole
        assert [entry.commit.subject for entry in log(repo)] == ["better"]

    def test_undo_and_doctor_leave_the_cut_alone(self, hub: Repository) -> None:
        """A commit on top of the cut, and the amending of the cut itself, are taken back."""
        repo = _clone(hub, "s", depth=1)
        for amend in (False, True):
            commit(repo, message="mine", committer=ADA, amend=amend, allow_empty=True)
            assert undo(repo).head.commit == _tip(hub)
        assert verify(repo).is_whole
        assert doctor(repo).is_well
        fetch(repo, options=FetchOptions(unshallow=True))
        assert _commits(repo, _tip(repo)) == _commits(hub)

    def test_a_lost_boundary_is_damage_with_a_way_out(self, hub: Repository) -> None:
        """A damaged file: verify names it, gc drops nothing, and `--unshallow` repairs (G15)."""
        repo = _clone(hub, "s", depth=2)
        settle(repo)
        shallow_path(repo.root).write_text("nonsense\n")
        repo = open_repo(repo.root)
        file = str(shallow_path(repo.root))
        (finding,) = [each for each in verify(repo).findings if each.file == file]
        assert (finding.severity, "--unshallow" in finding.way_out) == ("damage", True)
        assert "where history ends" in gc(repo, expire_before_s=time.time() + 1).kept_because
        with pytest.raises(CorruptFileError, match="shallow"):
            list(log(repo))
        with pytest.raises(CorruptFileError, match="shallow"):
            fetch(repo)
        assert shallow_path(repo.root).read_text() == "nonsense\n"
        result = fetch(repo, options=FetchOptions(unshallow=True))
        assert result.ends == 0
        assert reachable(open_repo(repo.root)) == reachable(hub)


class TestFetchingIntoACut:
    """What a shallow clone fetches is what is new, and deeper only when it is asked to go."""

    def test_new_commits_bring_no_old_ones(self, hub: Repository) -> None:
        """A plain fetch stops where history ends here."""
        repo = _clone(hub, "s", depth=1)
        _grow(hub, 2, start=6)
        result = fetch(repo)
        assert (result.objects, result.ends, result.ends_moved) == (4, 1, False)
        assert len(_commits(repo)) == 3
        assert verify(repo).is_whole

    def test_pull_moves_forward_over_the_cut(self, hub: Repository) -> None:
        """A shallow clone follows its upstream as any other."""
        repo = _clone(hub, "s", depth=1)
        _grow(hub, 2, start=6)
        assert pull(repo).commits == 2
        assert (repo.root / "f7").read_bytes() == b"7\n"

    def test_what_lies_beyond_a_gap_is_told_with_the_way_out(self, hub: Repository) -> None:
        """With commits between that were not brought, a pull refuses and says why."""
        repo = _clone(hub, "s", depth=1)
        _grow(hub, 3, start=6)
        result = fetch(repo, options=FetchOptions(depth=1))
        assert (result.objects < 10, result.ends) == (True, 2)
        with pytest.raises(NonFastForwardError) as caught:
            pull(repo)
        assert "--unshallow" in caught.value.hint
        fetch(repo, options=FetchOptions(unshallow=True))
        assert pull(repo).commits == 3
        assert not _ends(repo)

    def test_history_that_is_here_is_never_cut_off(self, hub: Repository) -> None:
        """A depth that is smaller than what is here changes nothing, unlike in git."""
        repo = _clone(hub, "whole")
        before = _commits(repo)
        result = fetch(repo, options=FetchOptions(depth=1))
        assert (result.up_to_date, result.ends) == (True, 0)
        deep = _clone(hub, "deep", depth=4)
        assert fetch(deep, options=FetchOptions(depth=2)).up_to_date
        assert (len(_commits(deep)), _commits(repo)) == (4, before)

    def test_a_merged_side_branch_brings_what_it_stands_on(self, hub: Repository) -> None:
        """What comes by another way mends the cut by itself: nothing stays hidden."""
        repo = _clone(hub, "s", depth=2)
        first = _tip(hub)
        while hub.commit(first).parents:
            first = from_raw(hub.commit(first).parents[0])
        side = add_commit(hub, {b"side": b"1"}, branch="side", parents=(first,))
        add_commit(hub, {b"both": b"1"}, parents=(_tip(hub), side))
        result = fetch(repo)
        assert from_raw(to_raw(first)) in map(from_raw, _commits(repo))
        assert result.ends == 1
        assert verify(repo).is_whole
        fetch(repo, options=FetchOptions(unshallow=True))
        assert _commits(repo) == _commits(hub)

    def test_tags_come_with_what_they_are_on(self, hub: Repository) -> None:
        """Tags above the cut come; one below comes when it is asked for, with its history."""
        raw = write_tag(hub.objects, to_raw(_tip(hub)), "commit", "new")
        set_ref(hub, TAGS + "new", from_raw(raw))
        old = hub.commit(from_raw(hub.commit(_tip(hub)).parents[0])).parents[0]
        set_ref(hub, TAGS + "old", from_raw(old))
        repo = _clone(hub, "s", depth=1)
        assert [name for name, _ in repo.refs.iter(TAGS)] == [TAGS + "new"]
        fetch(repo, options=FetchOptions(tags=True))
        assert repo.refs.read(TAGS + "old") == from_raw(old)
        assert verify(repo).is_whole

    def test_a_tag_may_be_what_is_cloned(self, hub: Repository) -> None:
        """`clone -b <tag> --depth 1` brings the tag's commit, wherever it is."""
        old = hub.commit(_tip(hub)).parents[0]
        set_ref(hub, TAGS + "v1", from_raw(old))
        options = CloneOptions(depth=1, branch="v1")
        root = hub.root.parent / "t"
        result = clone(str(hub.root), root, cwd=root.parent, options=options)
        assert (result.commit, result.ends) == (from_raw(old), 1)
        assert (root / "f4").exists()

    def test_what_makes_no_sense_is_refused(self, hub: Repository) -> None:
        """No depth below one, nothing to unshallow in what is whole; no such clone stays."""
        root = hub.root.parent / "none"
        with pytest.raises(UsageError, match="no commit"):
            _run_clone(hub, root, depth=0)
        assert not root.exists()
        with pytest.raises(UsageError, match="whole already"):
            fetch(_clone(hub, "whole"), options=FetchOptions(unshallow=True))


class TestTheOtherSideIsCut:
    """A shallow clone may be a remote as well."""

    def test_a_clone_of_it_is_shallow_too(self, hub: Repository) -> None:
        """It ends where the source ends, and says so."""
        source = _clone(hub, "s", depth=3)
        result = _run_clone(source, hub.root.parent / "t")
        copy = open_repo(result.root)
        assert (result.ends, _commits(copy)) == (1, _commits(source))
        assert show_remote(copy, "origin").shallow
        assert verify(copy).is_whole

    def test_a_fetch_takes_it_when_it_is_asked_to(self, tmp_path: Path, hub: Repository) -> None:
        """History that would be cut off here comes only with `--depth`."""
        source = _clone(hub, "s", depth=3)
        other = make_repo(tmp_path / "other", origin=source.root)
        with pytest.raises(RemoteError, match="shallow") as caught:
            fetch(other)
        assert "--depth" in caught.value.hint
        assert list(other.refs.iter()) == []
        assert fetch(other, options=FetchOptions(depth=10)).ends == 1
        assert verify(other).is_whole

    def test_what_it_has_is_fetched_as_ever(self, hub: Repository) -> None:
        """Commits on top of what both have do not meet the cut."""
        whole, source = _clone(hub, "whole"), _clone(hub, "s", depth=2)
        set_ref(source, MAIN, add_commit(source, {b"new": b"1"}))
        result = fetch(whole, remote=str(source.root))
        assert (result.objects, result.ends) == (3, 0)
        assert [ref.name for ref in result.refs] == ["refs/fetched/main"]

    def test_what_stands_below_its_cut_is_sent_whole(self, hub: Repository) -> None:
        """A branch that leaves below the cut there is pushed with all that it needs."""
        whole, place = _clone(hub, "whole"), _clone(hub, "bare", depth=2)
        below = whole.commit(from_raw(whole.commit(_tip(whole)).parents[0])).parents[0]
        topic = add_commit(whole, {b"t": b"1"}, branch="topic", parents=(from_raw(below),))
        push(whole, remote=str(place.root), branches=["topic"])
        assert place.refs.read(HEADS + "topic") == topic
        assert verify(place).is_whole


class TestPushingFromACut:
    """Allowed when the other side has what is left out here."""

    def test_to_where_it_came_from(self, hub: Repository) -> None:
        """A commit on a shallow clone arrives whole, and costs what is new."""
        repo = _clone(hub, "s", depth=1)
        files = {b"base/%d" % n: b"%d\n" % n for n in range(40)}
        mine = add_commit(repo, files)
        result = push(repo)
        assert (_tip(hub), result.objects) == (mine, 2)
        assert verify(hub).is_whole

    def test_to_a_place_that_lacks_the_rest(self, tmp_path: Path, hub: Repository) -> None:
        """Refused before anything is sent, with the way out; then it works."""
        repo, empty = _clone(hub, "s", depth=2), make_repo(tmp_path / "empty", bare=True)
        with pytest.raises(RemoteError, match="left out here") as caught:
            push(repo, remote=str(empty.root), branches=["main"])
        assert "--unshallow" in caught.value.hint
        assert list(empty.objects.iter_loose()) == []
        fetch(repo, options=FetchOptions(unshallow=True))
        push(repo, remote=str(empty.root), branches=["main"])
        assert reachable(empty) == reachable(hub)

    def test_a_refusal_tells_that_history_is_cut_off(self, hub: Repository) -> None:
        """What only looks like another history is not called one."""
        repo = _clone(hub, "s", depth=1)
        _grow(hub, 2, start=6)
        fetch(repo, options=FetchOptions(depth=1))
        add_commit(repo, {b"mine": b"1"})
        with pytest.raises(NonFastForwardError) as caught:
            push(repo, options=PushOptions())
        assert "cut off" in caught.value.hint


class TestLies:
    """A remote's word about where history ends hides nothing that is here."""

    def test_a_claim_about_our_own_commits_is_without_effect(
        self, hub: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All of our history stays in sight, and gc finds it needed."""
        repo = _clone(hub, "whole")
        mine = add_commit(repo, {b"mine": b"1"})
        before = _commits(repo)
        _grow(hub, 1, start=6)
        _claim(monkeypatch, mine, _tip(hub))
        result = fetch(repo, options=FetchOptions(depth=1))
        assert (result.ends, len(_commits(repo))) == (0, len(before) + 1)

    def test_a_claim_about_nothing_is_refused(
        self, hub: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """History cannot end at what did not come, or at a file; nothing moves."""
        repo = _clone(hub, "s", depth=2)
        before = dict(repo.refs.iter())
        _grow(hub, 1, start=6)
        blob = repo.objects.write("blob", b"0\n")
        for claim in (ObjectId("sha256:" + "1" * 64), from_raw(blob)):
            _claim(monkeypatch, claim)
            with pytest.raises(BadTransferError, match="no such commit") as caught:
                fetch(repo, options=FetchOptions(depth=1))
            assert claim in caught.value.message
        assert (dict(repo.refs.iter()), len(_ends(repo))) == (before, 1)

    def test_a_gap_is_no_cut(self, hub: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        """Left out without a word, a commit is missing."""
        repo = make_repo(hub.root.parent / "s", origin=hub.root)
        _claim(monkeypatch)
        with pytest.raises(BadTransferError, match="incomplete"):
            fetch(repo, options=FetchOptions(depth=2))
        assert list(repo.refs.iter()) == []


def _claim(monkeypatch: pytest.MonkeyPatch, *claims: ObjectId) -> None:
    """Let a remote say that history ends at these commits, whatever is true."""
    from muse.remotes.path import PathRemote
    from muse.remotes.protocol import Offer

    honest = PathRemote.offer

    def lie(self: PathRemote, *args: object, **options: object) -> Offer:
        offer = honest(self, *args, **options)  # type: ignore[arg-type]  # passed on
        return Offer(offer.ids, shallow=tuple(map(to_raw, claims)))

    monkeypatch.setattr(PathRemote, "offer", lie)


class TestTheFile:
    """``.muse/shallow`` is written by the journal, with the refs that need it."""

    def test_it_holds_one_id_a_line(self, hub: Repository) -> None:
        """Sorted, and gone when history is whole."""
        repo = _clone(hub, "s", depth=2)
        (end,) = _ends(repo)
        assert shallow_path(repo.root).read_bytes() == f"{from_raw(end)}\n".encode()
        assert encode_shallow([end]) == shallow_path(repo.root).read_bytes()

    def test_what_is_pulled_through_a_journal_is_seen(self, hub: Repository) -> None:
        """A reader that may not write sees the boundary that a dead writer recorded (G14)."""
        repo = _clone(hub, "s", depth=1)
        fetch(repo, options=FetchOptions(depth=2))
        before = _ends(repo)
        # The record is there, applying it was cut short.
        shallow_path(repo.root).unlink()
        again = open_repo(repo.root)
        assert again.objects.boundary.read() == before
        assert shallow_path(repo.root).exists()


class TestInGit:
    """git knows where history ends, too: it has a file of that name."""

    def test_an_export_is_shallow_as_well(self, tmp_path: Path, hub: Repository, git: Run) -> None:
        """`git fsck --strict` finds nothing; deeper exports go deeper, and the last is whole."""
        repo = _clone(hub, "s", depth=2)
        for depth in (2, 4, None):
            if depth is None:
                fetch(repo, options=FetchOptions(unshallow=True))
            else:
                fetch(repo, options=FetchOptions(depth=depth))
            git_export(repo, tmp_path / "g", env=clean_env(), object_format="sha256", bare=True)
            git("fsck", "--strict", "--full", cwd=tmp_path / "g")
            assert _git_commits(git, tmp_path / "g") == _commits(repo)
            said = git("rev-parse", "--is-shallow-repository", cwd=tmp_path / "g").stdout
            assert said == (b"false\n" if depth is None else b"true\n")

    def test_commits_on_top_of_a_cut_follow(
        self, tmp_path: Path, hub: Repository, git: Run
    ) -> None:
        """A second export sends what is new."""
        repo = _clone(hub, "s", depth=2)
        git_export(repo, tmp_path / "g", env=clean_env(), object_format="sha256", bare=True)
        add_commit(repo, {b"new": b"1"})
        result = git_export(repo, tmp_path / "g", env=clean_env())
        assert sum(result.objects.values()) == 3
        git("fsck", "--strict", "--full", cwd=tmp_path / "g")

    def test_sha1_ids_need_the_whole_history(self, tmp_path: Path, hub: Repository) -> None:
        """What is left out has no SHA-1 ids: refused with the way out."""
        repo = _clone(hub, "s", depth=2)
        with pytest.raises(MuseError, match="SHA-1") as caught:
            git_export(repo, tmp_path / "g", env=clean_env(), object_format="sha1")
        assert "--unshallow" in caught.value.hint
