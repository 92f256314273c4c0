"""A checkout does what git's does, refuses at least what git refuses, and never writes outside."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from muse.core.checkout import apply_checkout, plan_checkout
from muse.core.errors import ConflictError, MuseError, UnsafePathError
from muse.core.file_content import StatKey
from muse.core.object_store import ObjectStore
from muse.core.placing import Placer
from muse.core.stage import FileEntry, Stage
from muse.core.trees import EMPTY_TREE, TreeEntry, format_tree, update_tree
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, MODE_TREE, RawId
from tests.conftest import Run
from tests.core.histories import History

# Path → (mode, content): what a tree or a working tree holds.
Files = dict[bytes, tuple[int, bytes]]
PATHS = (b"a", b"d", b"d/x", b"d/e", b"d/e/z", b"f/g")


def unknown(path: bytes, key: StatKey) -> FileEntry | None:
    """Know nothing of any file."""
    return None


def store_tree(history: History | ObjectStore, files: Mapping[bytes, tuple[int, bytes]]) -> RawId:
    """Store a tree on all sides."""
    changes = {path: (mode, history.write("blob", data)) for path, (mode, data) in files.items()}
    store = history if isinstance(history, ObjectStore) else history.store
    update = update_tree(store, None, changes)
    for _, payload in update.new:
        history.write("tree", payload)
    return update.root


def write_files(folder: Path, files: Files) -> None:
    """Write files as a person would."""
    for path, (mode, data) in files.items():
        full = folder / os.fsdecode(path)
        full.parent.mkdir(parents=True, exist_ok=True)
        if mode == MODE_LINK:
            full.symlink_to(os.fsdecode(data))
        else:
            full.write_bytes(data)
            full.chmod(0o755 if mode == MODE_EXEC else 0o644)


def read_files(folder: Path) -> Files:
    """Read every file and link of a working tree."""
    found: Files = {}
    for base, folders, names in os.walk(folder):
        if ".muse" in folders:
            folders.remove(".muse")
        for name in [*names, *(n for n in folders if Path(base, n).is_symlink())]:
            full = Path(base, name)
            path = os.fsencode(full.relative_to(folder))
            if full.is_symlink():
                found[path] = (MODE_LINK, os.fsencode(os.readlink(full)))
            else:
                executable = full.stat().st_mode & stat.S_IXUSR
                found[path] = (MODE_EXEC if executable else MODE_FILE, full.read_bytes())
    return found


def empty_folders(folder: Path) -> list[str]:
    """Return the folders that hold nothing."""
    return [base for base, folders, names in os.walk(folder) if not folders and not names]


def check_out(
    root: Path,
    store: ObjectStore,
    old: RawId,
    new: RawId,
    *,
    stage: Stage | None = None,
    halves: tuple[RawId, ...] = (),
) -> Stage:
    """Plan and apply."""
    plan = plan_checkout(root, store, old, new, stage=stage or {}, known=unknown, halves=halves)
    apply_checkout(root, store, plan, placed=lambda *_: None)
    return plan.stage


entries = st.tuples(
    st.sampled_from([MODE_FILE, MODE_FILE, MODE_FILE, MODE_EXEC, MODE_LINK]),
    st.sampled_from([b"one", b"two", b"three"]),
)


@st.composite
def trees(draw: st.DrawFn) -> Files:
    """Draw a set of files in which none is in another's place."""
    drawn = draw(st.dictionaries(st.sampled_from(PATHS), entries, max_size=5))
    return {p: e for p, e in drawn.items() if not any(q.startswith(p + b"/") for q in drawn)}


@st.composite
def changed(draw: st.DrawFn, base: Files) -> Files:
    """Draw a set of files that is mostly another one."""
    other = draw(trees())
    keep = draw(st.sets(st.sampled_from(PATHS)))
    mixed = {p: e for p, e in base.items() if p in keep}
    mixed |= {p: e for p, e in other.items() if p not in keep}
    return {p: e for p, e in mixed.items() if not any(q.startswith(p + b"/") for q in mixed)}


@st.composite
def situations(draw: st.DrawFn) -> tuple[Files, Files, Files, Files]:
    """Draw the old tree, the new tree, what is staged in full, and the working tree."""
    old = draw(trees())
    new = draw(changed(old))
    staged = draw(st.one_of(st.just(old), st.just(old), changed(old)))
    work = draw(st.one_of(st.just(staged), changed(staged)))
    return old, new, staged, work


Situation = tuple[Files, Files, Files, Files]
_F, _G = (MODE_FILE, b"one"), (MODE_FILE, b"two")


@given(situation=situations())
@example(({b"d": _F}, {b"d/x": _G}, {b"d": _F}, {b"d": _F}))
@example(({b"d/x": _F}, {b"d": _G}, {b"d/x": _F}, {b"d/x": _F}))
@example(({b"d/x": _F}, {b"d": _G}, {b"d/x": _F}, {b"d/x": _F, b"d/e": _G}))
@example(({}, {b"a": _F}, {b"a": _G}, {}))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_result_and_refusal_are_gits(git: Run, situation: Situation) -> None:
    """Where git switches, so do we, with git's files and stage; what it refuses loses nothing."""
    old, new, staged, work = situation
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), git)
        trees_of = [store_tree(history, files) for files in (old, new)]
        commits = [_commit(history, tree) for tree in trees_of]
        gits = Path(folder, "gits")
        gits.mkdir()
        for place in (gits, history.root):
            write_files(place, work)
        stage, accepted, gits_index = _switch_with_git(history, gits, commits, old, staged)
        before, gits_files = read_files(history.root), read_files(gits)
        # Where a folder meets a file or link, git drops staged and unstaged changes: not for us.
        accepted = (
            accepted
            and not _collides(stage, [*old, *new])
            and _is_kept(before, gits_files, old, new)
        )
        try:
            after = check_out(history.root, history.store, *trees_of, stage=stage)
        except ConflictError as error:
            assert not accepted, error
            assert error.paths
            assert read_files(history.root) == before
            return
        found = read_files(history.root)
        if accepted:
            assert found == gits_files
            wanted = {path: (mode, history.write("blob", d)) for path, (mode, d) in new.items()}
            for path, change in after.items():
                wanted.pop(path, None)
                if change is not None:
                    wanted[path] = change
            assert wanted == gits_index
        else:
            # We are more lenient only with files that are stored anyway.
            assert _is_kept(before, found, old, new)


def _is_kept(before: Files, after: Files, old: Files, new: Files) -> bool:
    """Tell whether every file is still there, or was as in one of the trees."""
    return all(
        after.get(path) == entry or entry in (old.get(path), new.get(path))
        for path, entry in before.items()
    )


def _collides(stage: Stage, paths: list[bytes]) -> bool:
    staged = [path for path, entry in stage.items() if entry is not None]
    return any(
        one.startswith(other + b"/") or other.startswith(one + b"/")
        for one in staged
        for other in paths
    )


def _commit(history: History, tree: RawId) -> RawId:
    payload = b"tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"
    return history.write("commit", payload % tree.hex().encode())


def _switch_with_git(
    history: History, work: Path, commits: list[RawId], old: Files, staged: Files
) -> tuple[Stage, bool, dict[bytes, FileEntry]]:
    """Stage and switch with git; return our stage, whether git switched, and its index."""
    history.ref("refs/heads/main", commits[0])
    history.ref("refs/heads/other", commits[1])
    history.ask_git("symbolic-ref", "HEAD", "refs/heads/main")
    history.ask_git("config", "core.bare", "false")
    base = [f"--git-dir={history.git_dir}", f"--work-tree={work}"]
    stage = Stage()
    lines = b""
    for path in {*old, *staged}:
        entry = staged.get(path)
        change = (entry[0], history.write("blob", entry[1])) if entry is not None else None
        if change is not None:
            lines += b"%o %s 0\t%s\n" % (change[0], change[1].hex().encode(), path)
        if entry != old.get(path):
            stage[path] = change
    git = history._git
    git(*base, "read-tree", "--empty", cwd=work)
    git(*base, "update-index", "--index-info", cwd=work, input=lines)
    result = git(*base, "checkout", "-q", "other", cwd=work, check=False)
    listed = git(*base, "ls-files", "-s", "-z", cwd=work).stdout.split(b"\0")[:-1]
    index: dict[bytes, FileEntry] = {}
    for line in listed:
        head, path = line.split(b"\t", 1)
        mode, digits, _ = head.split()
        index[path] = (int(mode, 8), RawId(bytes.fromhex(digits.decode())))
    return stage, result.returncode == 0, index


@given(old=trees(), new=trees(), third=trees(), cut=st.integers(0, 8), data=st.data())
@settings(max_examples=80, deadline=None)
def test_an_interrupted_checkout_finishes_goes_back_or_goes_elsewhere(
    old: Files, new: Files, third: Files, cut: int, data: st.DataObject
) -> None:
    """Cut after any file, going on, going back and going elsewhere all end exactly there."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = _empty_store(root)
        write_files(root, old)
        ids = [store_tree(store, files) for files in (old, new, third)]
        plan = plan_checkout(root, store, ids[0], ids[1], stage={}, known=unknown)
        _cut_after(root, store, plan_steps=cut, old=ids[0], new=ids[1])
        halves: tuple[RawId, ...] = (ids[1],)
        if data.draw(st.booleans()):
            # Killed again, on the way to somewhere else.
            steps = data.draw(st.integers(0, 8))
            _cut_after(root, store, plan_steps=steps, old=ids[0], new=ids[2], halves=halves)
            halves = (ids[1], ids[2])
        goal = data.draw(st.sampled_from([0, 1, 2]))
        check_out(root, store, ids[0], ids[goal], halves=halves)
        assert read_files(root) == (old, new, third)[goal]
        assert not [f for f in empty_folders(root) if f != folder and ".muse" not in f]
        assert plan.stage == {}


class _CutError(Exception):
    pass


def _cut_after(
    root: Path,
    store: ObjectStore,
    *,
    plan_steps: int,
    old: RawId,
    new: RawId,
    halves: tuple[RawId, ...] = (),
) -> None:
    left = plan_steps

    def placed(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _CutError

    plan = plan_checkout(root, store, old, new, stage={}, known=unknown, halves=halves)
    try:
        apply_checkout(root, store, plan, placed=placed)
    except _CutError:
        return


def _empty_store(root: Path) -> ObjectStore:
    (root / ".muse/objects/sha256").mkdir(parents=True)
    return ObjectStore(root)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """An empty store; its root is the working tree."""
    root = tmp_path / "work"
    root.mkdir()
    return _empty_store(root)


class TestLocalChanges:
    def test_an_ignored_file_is_not_overwritten(self, store: ObjectStore) -> None:
        """Git overwrites what is ignored; it is stored nowhere, so we refuse and name it."""
        write_files(store.root, {b".museignore": (MODE_FILE, b"*.o"), b"x.o": (MODE_FILE, b"1")})
        new = store_tree(store, {b"x.o": (MODE_FILE, b"2")})
        with pytest.raises(ConflictError, match=r"1 untracked file: x\.o") as caught:
            check_out(store.root, store, EMPTY_TREE, new)
        assert caught.value.paths == (b"x.o",)
        assert "Nothing was touched" in caught.value.hint

    def test_the_same_content_is_adopted(self, store: ObjectStore) -> None:
        """An untracked file that is what the new tree wants is in nobody's way."""
        files = {b"x": (MODE_FILE, b"same")}
        write_files(store.root, files)
        inode = (store.root / "x").stat().st_ino
        check_out(store.root, store, EMPTY_TREE, store_tree(store, files))
        assert (store.root / "x").stat().st_ino == inode

    def test_a_file_saved_after_the_plan_is_left_alone(self, store: ObjectStore) -> None:
        """Between plan and write somebody saves: their bytes stay, the checkout stops."""
        old, new = ({b"x": (MODE_FILE, data)} for data in (b"old", b"new"))
        write_files(store.root, old)
        ids = [store_tree(store, files) for files in (old, new)]
        plan = plan_checkout(store.root, store, *ids, stage={}, known=unknown)
        (store.root / "x").write_bytes(b"saved meanwhile")
        with pytest.raises(ConflictError, match="changed while we worked"):
            apply_checkout(store.root, store, plan, placed=lambda *_: None)
        assert (store.root / "x").read_bytes() == b"saved meanwhile"

    def test_a_fifo_in_the_way_is_refused(self, store: ObjectStore) -> None:
        """What is neither file nor link is never removed, and never read."""
        os.mkfifo(store.root / "x")
        new = store_tree(store, {b"x": (MODE_FILE, b"2")})
        with pytest.raises(ConflictError):
            check_out(store.root, store, EMPTY_TREE, new)

    def test_a_deleted_file_comes_back_only_if_it_differs(self, store: ObjectStore) -> None:
        """A deletion that is not in the way is a local change and is carried over."""
        old = {b"same": (MODE_FILE, b"s"), b"other": (MODE_FILE, b"1")}
        new = {**old, b"other": (MODE_FILE, b"2")}
        check_out(store.root, store, store_tree(store, old), store_tree(store, new))
        assert read_files(store.root) == {b"other": (MODE_FILE, b"2")}

    def test_names_are_shown_safely(self, store: ObjectStore) -> None:
        """A name with control characters cannot reach the terminal raw."""
        name = b"x\x1b[2Jy"
        write_files(store.root, {name: (MODE_FILE, b"1")})
        with pytest.raises(ConflictError) as caught:
            check_out(store.root, store, EMPTY_TREE, store_tree(store, {name: (MODE_FILE, b"2")}))
        assert "\x1b" not in caught.value.message


class TestHostileTrees:
    """Nothing outside the working tree is written or removed (G11)."""

    def test_a_link_in_the_way_is_not_followed(self, tmp_path: Path, store: ObjectStore) -> None:
        """A tree that puts a file below a link of the working tree is refused."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (store.root / "d").symlink_to(outside)
        new = store_tree(store, {b"d/x": (MODE_FILE, b"evil")})
        with pytest.raises(ConflictError, match="untracked file: d"):
            check_out(store.root, store, EMPTY_TREE, new)
        assert not list(outside.iterdir())

    def test_a_tracked_link_is_replaced_not_followed(
        self, tmp_path: Path, store: ObjectStore
    ) -> None:
        """One tree has a link to a folder outside, the next one a folder: only the link goes."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "x").write_text("precious")
        old = {b"d": (MODE_LINK, os.fsencode(outside))}
        new = {b"d/x": (MODE_FILE, b"evil")}
        ids = [store_tree(store, files) for files in (old, new)]
        check_out(store.root, store, EMPTY_TREE, ids[0])
        check_out(store.root, store, *ids)
        assert read_files(store.root) == new
        assert (outside / "x").read_text() == "precious"
        check_out(store.root, store, ids[1], ids[0])
        assert (outside / "x").read_text() == "precious"

    def test_nothing_is_deleted_through_a_link(self, tmp_path: Path, store: ObjectStore) -> None:
        """A folder that the user replaced by a link keeps what the link leads to."""
        old = {b"d/x": (MODE_FILE, b"1"), b"d/y": (MODE_FILE, b"1")}
        tree = store_tree(store, old)
        check_out(store.root, store, EMPTY_TREE, tree)
        outside = tmp_path / "outside"
        shutil.move(store.root / "d", outside)
        (store.root / "d").symlink_to(outside)
        check_out(store.root, store, tree, EMPTY_TREE)
        assert sorted(os.listdir(outside)) == ["x", "y"]

    @pytest.mark.parametrize("name", [b"..", b".", b".muse", b".git", b"a/b"])
    def test_names_that_escape_are_refused(self, store: ObjectStore, name: bytes) -> None:
        """A tree with a name that could escape is not even planned."""
        blob = store.write("blob", b"evil")
        inner = store.write("tree", format_tree([TreeEntry(MODE_FILE, b"x", blob)]))
        for entry in (TreeEntry(MODE_FILE, name, blob), TreeEntry(MODE_TREE, name, inner)):
            tree = store.write("tree", format_tree([entry]))
            with pytest.raises(UnsafePathError):
                check_out(store.root, store, EMPTY_TREE, tree)
        assert read_files(store.root) == {}

    @pytest.mark.parametrize("target", [b"", b"a\0b"])
    def test_an_impossible_link_is_refused(self, store: ObjectStore, target: bytes) -> None:
        """A link that no system can hold is an error of ours, not the system's."""
        tree = store_tree(store, {b"l": (MODE_LINK, target)})
        with pytest.raises(UnsafePathError):
            check_out(store.root, store, EMPTY_TREE, tree)

    def test_a_folder_that_turns_into_a_link_leads_nowhere(
        self, tmp_path: Path, store: ObjectStore
    ) -> None:
        """Swapped after the plan, a folder's place is not followed, for writing nor removing."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "x").write_text("precious")
        raw = store.write("blob", b"evil")
        (store.root / "d").symlink_to(outside)
        key = (stat.S_IFREG, 0, 0, 0, 0)
        with Placer(store.root, store) as placer:
            with pytest.raises(UnsafePathError):
                placer.write(b"d/new", MODE_FILE, raw, over=None)
            with pytest.raises(UnsafePathError):
                placer.remove(b"d/x", over=key)
            placer.remove_empty_folders(b"d/e")
            placer.remove_own_temps(b"d")
            with pytest.raises(MuseError):
                placer.write(b"../x", MODE_FILE, raw, over=None)
        assert os.listdir(outside) == ["x"]

    def test_a_damaged_blob_stops_before_its_file(self, store: ObjectStore) -> None:
        """Wrong bytes never reach the working tree (G4)."""
        old, new = ({b"x": (MODE_FILE, data)} for data in (b"old", b"new"))
        ids = [store_tree(store, files) for files in (old, new)]
        check_out(store.root, store, EMPTY_TREE, ids[0])
        path = Path(store.loose_path(store.write("blob", b"new")))
        path.chmod(0o644)
        path.write_bytes(b"blob 3\0mew")
        with pytest.raises(MuseError, match="damaged"):
            check_out(store.root, store, *ids)
        assert read_files(store.root) == old
        assert not [n for n in os.listdir(store.root) if n.startswith(".restore")]


def test_stale_temps_go_when_an_interrupted_checkout_is_resumed(store: ObjectStore) -> None:
    """A temp that a killed checkout left in the working tree is removed by the next one."""
    files = {b"d/x": (MODE_FILE, b"1")}
    tree = store_tree(store, files)
    (store.root / "d").mkdir()
    (store.root / "d/.restore-tmp-+4242-abcdef").write_text("half")
    (store.root / "d/.restore-tmp-foreign").write_text("not ours")
    check_out(store.root, store, EMPTY_TREE, tree, halves=(tree,))
    assert sorted(os.listdir(store.root / "d")) == [".restore-tmp-foreign", "x"]
