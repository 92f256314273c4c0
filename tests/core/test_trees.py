"""Trees and commits: byte for byte git's, and never a way out of the working tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.commits import (
    Commit,
    ObjectFormatError,
    Signature,
    format_commit,
    format_tag,
    parse_commit,
    parse_tag,
)
from muse.core.errors import UnsafePathError
from muse.core.object_store import ObjectStore
from muse.core.paths import check_name, is_reserved_name, show_path, to_repo_path
from muse.core.trees import (
    EMPTY_TREE,
    TreeEntry,
    TreeFormatError,
    check_tree,
    find_in_tree,
    format_tree,
    iter_tree,
    parse_tree,
    update_tree,
)
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, MODE_TREE, RawId, raw_object_id
from muse.ops.init import init
from tests.conftest import Run

BLOB = raw_object_id("blob", b"x")
OTHER = raw_object_id("blob", b"y")

names = st.binary(min_size=1, max_size=6).filter(
    lambda n: (
        b"/" not in n
        and b"\0" not in n
        and n not in {b".", b".."}
        and n.lower() not in {b".git", b".muse"}
    )
)
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
values = st.tuples(
    st.sampled_from([MODE_FILE, MODE_EXEC, MODE_LINK]), st.sampled_from([BLOB, OTHER])
)


def _consistent(files: dict[bytes, tuple[int, RawId]]) -> dict[bytes, tuple[int, RawId]]:
    """Drop files that lie below another file's path."""
    return {
        path: value
        for path, value in files.items()
        if not any(path.startswith(other + b"/") for other in files)
    }


def _store_trees(store: ObjectStore, new: list[tuple[RawId, bytes]]) -> None:
    for raw, payload in new:
        assert store.write("tree", payload) == raw


def _git_tree(folder: Path, files: dict[bytes, tuple[int, RawId]]) -> str:
    lines = b"".join(
        b"%o %s\t%s\0" % (mode, raw.hex().encode(), path) for path, (mode, raw) in files.items()
    )

    def run(*arguments: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, input=data, capture_output=True, check=True
        )
        return done.stdout

    run("read-tree", "--empty")
    run("update-index", "-z", "--index-info", data=lines)
    return run("write-tree", "--missing-ok").decode().strip()


@pytest.fixture(scope="module")
def git_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a git repository in SHA-256 mode."""
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", "--object-format=sha256", folder], check=True)
    return folder


@given(files=st.dictionaries(paths, values, max_size=8))
@settings(max_examples=25, deadline=None)
def test_trees_are_gits(
    git_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[bytes, tuple[int, RawId]],
) -> None:
    """`git write-tree` gives any set of files the same root id."""
    files = _consistent(files)
    root = tmp_path_factory.mktemp("muse")
    init(root)
    store = ObjectStore(root)
    update = update_tree(store, None, dict(files))
    _store_trees(store, update.new)
    assert update.root.hex() == _git_tree(git_folder, files)
    assert [(p, (m, r)) for p, m, r in iter_tree(store, update.root)] == sorted(files.items())


@given(
    before=st.dictionaries(paths, values, max_size=8),
    after=st.dictionaries(paths, values, max_size=8),
)
@settings(max_examples=50, deadline=None)
def test_updates_equal_a_tree_made_anew(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[bytes, tuple[int, RawId]],
    after: dict[bytes, tuple[int, RawId]],
) -> None:
    """Changing one tree into another path by path ends at the id of the other."""
    before, after = _consistent(before), _consistent(after)
    root = tmp_path_factory.mktemp("muse")
    init(root)
    store = ObjectStore(root)
    start = update_tree(store, None, dict(before))
    _store_trees(store, start.new)
    changes: dict[bytes, tuple[int, RawId] | None] = dict.fromkeys(before.keys() - after.keys())
    changes.update(after)
    end = update_tree(store, start.root, changes)
    assert end.root == update_tree(store, None, dict(after)).root


def test_an_update_touches_only_its_folders(tmp_path: Path) -> None:
    """One file deep in a wide tree costs the folders on its way, not the others."""
    init(tmp_path)
    store = ObjectStore(tmp_path)
    files: dict[bytes, tuple[int, RawId] | None] = {
        b"d%d/e%d/f" % (i, j): (MODE_FILE, BLOB) for i in range(20) for j in range(20)
    }
    start = update_tree(store, None, files)
    _store_trees(store, start.new)
    update = update_tree(store, start.root, {b"d3/e4/f": (MODE_FILE, OTHER)})
    assert len(update.new) == 3
    found = find_in_tree(store, start.root, b"d3/e4/f")
    assert found is not None
    assert found.raw == BLOB
    assert find_in_tree(store, start.root, b"d3/nothing") is None


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"a\0b", b".muse", b".git"])
def test_names_that_could_escape_are_refused(name: bytes) -> None:
    """A tree that names them does not parse, and the error names them (G11)."""
    with pytest.raises(UnsafePathError):
        check_name(name)
    payload = b"100644 " + name + b"\0" + BLOB
    if b"\0" not in name:
        with pytest.raises(UnsafePathError):
            parse_tree(payload)


def test_case_folding_systems_refuse_other_spellings() -> None:
    """`.MUSE` is the repository's own folder where the file system says so."""
    assert is_reserved_name(b".MUSE", fold=True)
    assert is_reserved_name(b".Git. ", fold=True)
    assert not is_reserved_name(b".MUSE", fold=False)


@given(data=st.binary(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_bytes_parse_or_raise_our_errors(data: bytes) -> None:
    """No input makes the tree parser fail in any other way; what parses is canonical."""
    try:
        entries = parse_tree(data)
    except (TreeFormatError, UnsafePathError):
        return
    assert format_tree(entries) == data.replace(b"100664 ", b"100644 ")


def test_order_and_duplicates_are_checked() -> None:
    """A tree that git would not write is not a tree."""
    one = TreeEntry(MODE_FILE, b"a", BLOB)
    two = TreeEntry(MODE_TREE, b"a", EMPTY_TREE)
    line = format_tree([one])
    with pytest.raises(TreeFormatError):
        parse_tree(line + line)
    with pytest.raises(TreeFormatError):
        parse_tree(format_tree([TreeEntry(MODE_FILE, b"b", BLOB)]) + line)
    with pytest.raises(TreeFormatError):
        parse_tree(line + format_tree([two]))


def test_a_check_refuses_what_parsing_refuses(tmp_path: Path) -> None:
    """G11: trees that arrive are looked at in a faster way, which lets nothing more through."""
    file, folder = b"100644 %b\0" + b"\x01" * 32, b"40000 %b\0" + b"\x01" * 32
    check_tree(b"")
    check_tree(file % b"a" + folder % b"b" + file % b"c")
    check_tree(file % b"a-" + folder % b"a")
    for payload in (
        file % b"..",
        file % b".muse",
        folder % b".git",
        file % b"a/b",
        file % b"b" + file % b"a",
        file % b"a" + file % b"a",
        folder % b"a" + file % b"a-",
        (file % b"a")[:-1],
        file % b"a" + b"x",
        b"160000 a\0" + b"\x01" * 32,
    ):
        for check in (check_tree, parse_tree):
            with pytest.raises((TreeFormatError, UnsafePathError)):
                check(payload)
    # A file and a folder of one name, which do not stand beside one another.
    with pytest.raises(TreeFormatError, match="two entries"):
        check_tree(file % b"a" + file % b"a-" + folder % b"a")


def test_paths_outside_are_refused(tmp_path: Path) -> None:
    """What a user types stays inside the repository, links included."""
    root = tmp_path / "repo"
    root.mkdir()
    assert to_repo_path(root, "a/../b", cwd=root) == b"b"
    assert to_repo_path(root, ".", cwd=root) == b""
    assert to_repo_path(root, "../repo/x", cwd=root) == b"x"
    for bad in ("..", "/etc/passwd", "../other", ".muse/HEAD", "a/.git/config"):
        with pytest.raises(UnsafePathError):
            to_repo_path(root, bad, cwd=root)


def test_control_characters_are_made_visible() -> None:
    """A file name cannot move the cursor (G17)."""
    assert show_path(b"a\x1b[2Jb\n\xff") == "a\\x1b[2Jb\\n\\xff"
    assert show_path("ünï") == "ünï"


class TestCommits:
    """Commits and tags keep every byte that git writes."""

    def test_commit_is_gits(self, tmp_path: Path, git: Run) -> None:
        """`git commit-tree` with the same people, dates and message gives the same id."""
        git("init", "-q", "--object-format=sha256", cwd=tmp_path)
        tree = git("write-tree", cwd=tmp_path).stdout.decode().strip()
        oid = git("commit-tree", "-m", "Änderung\n\nbody", tree, cwd=tmp_path).stdout.decode()
        who = Signature("Ada", "ada@example.com", 1700000000, "+0100")
        made = Commit(RawId(bytes.fromhex(tree)), (), who, who, "Änderung\n\nbody\n".encode())
        assert raw_object_id("commit", format_commit(made)).hex() == oid.strip()
        assert made.subject == "Änderung"
        assert who.offset_min == 60

    @given(
        message=st.binary(max_size=80),
        name=st.text(
            st.characters(blacklist_characters="<>\n\0\r", blacklist_categories=["Cs"]), max_size=20
        ),
        extra=st.lists(
            st.tuples(
                st.sampled_from([b"gpgsig", b"encoding", b"HG:extra"]),
                st.binary(min_size=1, max_size=30).filter(lambda v: not v.endswith(b"\n")),
            ),
            max_size=2,
        ),
    )
    @settings(max_examples=100, deadline=None)
    def test_round_trip(self, message: bytes, name: str, extra: list[tuple[bytes, bytes]]) -> None:
        """Formatting what was parsed gives the same bytes."""
        name = name.strip()
        who = Signature(name, "a@b", 5, "-0230")
        made = Commit(EMPTY_TREE, (BLOB, OTHER), who, who, message, tuple(extra))
        payload = format_commit(made)
        assert format_commit(parse_commit(payload)) == payload
        assert parse_commit(payload).parents == (BLOB, OTHER)

    def test_annotated_tag_round_trip(self, tmp_path: Path, git: Run) -> None:
        """A tag that git made is parsed and formatted to the same bytes."""
        git("init", "-q", "--object-format=sha256", cwd=tmp_path)
        git("commit", "-q", "--allow-empty", "-m", "one", cwd=tmp_path)
        git("tag", "-a", "v1", "-m", "first", cwd=tmp_path)
        payload = git("cat-file", "tag", "v1", cwd=tmp_path).stdout
        tag = parse_tag(payload)
        assert (tag.name, tag.kind, tag.message) == ("v1", "commit", b"first\n")
        assert format_tag(tag) == payload

    @given(data=st.binary(max_size=200))
    @settings(max_examples=200, deadline=None)
    def test_any_bytes_parse_or_raise_our_error(self, data: bytes) -> None:
        """No input makes the commit or tag parser fail in any other way."""
        for parse in (parse_commit, parse_tag):
            try:
                parse(data)
            except ObjectFormatError:
                continue
