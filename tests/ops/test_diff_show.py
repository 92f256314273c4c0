"""Tags and files that are shown, and what happens when they are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from muse.core.commits import Commit, Signature, Tag, format_commit, format_tag
from muse.core.errors import CorruptObjectError, RevisionNotFoundError
from muse.core.repo import Repository, open_repo
from muse.core.trees import update_tree
from muse.core.types import MODE_FILE, ObjectType, RawId
from muse.ops.init import init
from muse.ops.show import ShownBlob, ShownCommit, ShownTag, ShownTree, show

WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Return an empty repository."""
    init(tmp_path)
    return open_repo(tmp_path, do_sweep=False)


def make_commit(repo: Repository, content: bytes, *parents: RawId) -> RawId:
    """Store a commit of one file."""
    blob = repo.objects.write("blob", content)
    update = update_tree(repo.objects, None, {b"f": (MODE_FILE, blob)})
    for _, payload in update.new:
        repo.objects.write("tree", payload)
    made = Commit(update.root, parents, WHO, WHO, b"message\n")
    return repo.objects.write("commit", format_commit(made))


def make_tag(repo: Repository, target: RawId, kind: ObjectType, name: str) -> RawId:
    """Store an annotated tag."""
    return repo.objects.write("tag", format_tag(Tag(target, kind, name, WHO, b"tagged\n")))


def test_a_tag_of_a_tag_leads_to_its_commit(repo: Repository) -> None:
    """An annotated tag shows what it names, through other tags."""
    first = make_commit(repo, b"1\n")
    second = make_commit(repo, b"2\n", first)
    inner = make_tag(repo, second, "commit", "inner")
    outer = make_tag(repo, inner, "tag", "outer")
    shown = show(repo, outer.hex())
    assert isinstance(shown, ShownTag)
    assert isinstance(shown.target, ShownTag)
    assert (shown.tag.name, shown.target.tag.name) == ("outer", "inner")
    assert isinstance(shown.target.target, ShownCommit)
    assert [c.kind for c in shown.target.target.diff.changes] == ["M"]


def test_a_merge_is_compared_with_its_first_parent(repo: Repository) -> None:
    """What a merge brought in is what differs from its first parent."""
    one, two = make_commit(repo, b"1\n"), make_commit(repo, b"2\n")
    merge = make_commit(repo, b"2\n", one, two)
    shown = show(repo, merge.hex())
    assert isinstance(shown, ShownCommit)
    assert len(shown.diff) == 1
    merge = make_commit(repo, b"2\n", two, one)
    shown = show(repo, merge.hex())
    assert isinstance(shown, ShownCommit)
    assert len(shown.diff) == 0


def test_a_folder_and_a_file(repo: Repository) -> None:
    """A path in a commit is shown as what it is."""
    commit = make_commit(repo, b"content\n").hex()
    folder, file = show(repo, f"{commit}:"), show(repo, f"{commit}:f")
    assert isinstance(folder, ShownTree)
    assert [entry.name for entry in folder.entries] == [b"f"]
    assert isinstance(file, ShownBlob)
    assert b"".join(file.chunks()) == b"content\n"


def test_a_large_file_comes_in_chunks(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is streamed, and whole."""
    monkeypatch.setattr("muse.ops.show.LARGE_SIZE", 10)
    raw = repo.objects.write("blob", b"0123456789abcdef" * 200_000)
    shown = show(repo, raw.hex())
    assert isinstance(shown, ShownBlob)
    chunks = list(shown.chunks())
    assert len(chunks) > 1
    assert b"".join(chunks) == b"0123456789abcdef" * 200_000


def test_a_damaged_large_file_gives_no_byte(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a damaged file not even the beginning is handed out (G4)."""
    monkeypatch.setattr("muse.ops.show.LARGE_SIZE", 10)
    raw = repo.objects.write("blob", b"0123456789" * 10)
    path = Path(repo.objects.loose_path(raw))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    shown = show(repo, raw.hex())
    assert isinstance(shown, ShownBlob)
    with pytest.raises(CorruptObjectError):
        list(shown.chunks())


def test_nothing_of_that_name(repo: Repository) -> None:
    """An unknown name is an error."""
    with pytest.raises(RevisionNotFoundError):
        show(repo, "nowhere")
