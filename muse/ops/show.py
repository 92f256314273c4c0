"""Show one thing: a commit with what it changed, a tag, a folder, or a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from muse.core.commits import Commit, ObjectFormatError, Tag, parse_tag
from muse.core.errors import CorruptObjectError
from muse.core.paths import show_text
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.text_diff import LARGE_SIZE
from muse.core.trees import TreeEntry, read_tree
from muse.core.types import ObjectId, RawId, from_raw
from muse.ops.diff import DiffResult, diff
from muse.ops.file_diff import DiffOptions


class ShownCommit(NamedTuple):
    """A commit.

    Attributes:
        oid: Its id.
        commit: What it says.
        diff: What it changed against its first parent; everything, when it has none.
    """

    oid: ObjectId
    commit: Commit
    diff: DiffResult


class ShownTree(NamedTuple):
    """A folder.

    Attributes:
        oid: Its id.
        entries: What is in it, in git's order.
    """

    oid: ObjectId
    entries: tuple[TreeEntry, ...]


class ShownBlob(NamedTuple):
    """A file; its content is read when it is asked for.

    Attributes:
        oid: Its id.
        size: Bytes.
        repo: Where it is.
    """

    oid: ObjectId
    size: int
    repo: Repository
    raw: RawId

    def chunks(self) -> Iterable[bytes]:
        """Yield the content; it is checked whole before its first byte is handed out (G4).

        Raises:
            CorruptObjectError: It is damaged.
        """
        store = self.repo.objects
        if self.size <= LARGE_SIZE or not store.is_whole(self.raw):
            # One that is not whole raises here, and says why.
            return (store.read(self.raw, expected="blob")[1],)
        return store.open_stream(self.raw)


class ShownTag(NamedTuple):
    """An annotated tag.

    Attributes:
        oid: Its own id.
        tag: What it says.
        target: What it points at.
    """

    oid: ObjectId
    tag: Tag
    target: Shown


Shown = ShownCommit | ShownTag | ShownTree | ShownBlob


def show(
    repo: Repository,
    rev: str = "HEAD",
    *,
    paths: Sequence[bytes] = (),
    options: DiffOptions | None = None,
) -> Shown:
    """Find what a revision names, and what is to be said about it.

    Args:
        repo: The repository.
        rev: Anything that names an object: a branch, a tag, an id, ``rev:path``.
        paths: Limit a commit's changes to these.
        options: How to compare.

    Raises:
        RevisionNotFoundError: It names nothing.
        PathNotFoundError: ``rev:path``, and the path is not there.
        StorageError: What it names is damaged.
    """
    raw = Revisions(repo.objects, repo.refs, config=repo.config).find(rev)
    return show_object(repo, raw, paths=paths, options=options)


def show_object(
    repo: Repository,
    raw: RawId,
    *,
    paths: Sequence[bytes] = (),
    options: DiffOptions | None = None,
) -> Shown:
    """As `show`, for an object whose id is known."""
    kind, size = repo.objects.stat(raw)
    if kind == "commit":
        commit = repo.commit(raw)
        changed = diff(
            repo, old=repo.base_tree(raw, commit), new=commit.tree, paths=paths, options=options
        )
        return ShownCommit(from_raw(raw), commit, changed)
    if kind == "tree":
        return ShownTree(from_raw(raw), tuple(read_tree(repo.objects, raw)))
    if kind == "blob":
        return ShownBlob(from_raw(raw), size, repo, raw)
    try:
        tag = parse_tag(repo.objects.read(raw, expected="tag")[1])
    except ObjectFormatError as error:
        raise CorruptObjectError(
            from_raw(raw), where="the store", reason=show_text(str(error))
        ) from error
    target = show_object(repo, tag.target, paths=paths, options=options)
    return ShownTag(from_raw(raw), tag, target)
