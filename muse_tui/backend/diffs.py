"""Diffs as documents: what changed in a file or a commit, ready to be drawn."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from muse.core.errors import ConflictError, MuseError
from muse.core.io import read_bytes
from muse.core.paths import show_path, show_text
from muse.core.stage import FileEntry, TreeFiles, read_stage
from muse.core.text_diff import Hunk, TextDiff, diff_texts, is_binary, word_spans
from muse.core.tree_diff import Change, StoreContents, diff_trees
from muse.core.types import MODE_EXEC, MODE_FILE, MODE_LINK, ObjectId, blob_id, to_raw
from muse.ops.diff import DiffResult
from muse.ops.file_diff import DiffOptions, FileText
from muse_tui.backend.place import Place
from muse_tui.backend.syntax import expand, lex, moved, places
from muse_tui.model import DiffDoc, DiffKey, DiffLine, FileRow, Source, Span
from muse_tui.words import plural, size

BIG_BYTES = 1_500_000
MAX_LINES = 20_000
_COMMIT_FILES = 200
_MARKS = {"added": "A", "deleted": "D", "modified": "M", "renamed": "R", "copied": "C"}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a file's diff.

    Attributes:
        mode: Its mode in a tree; 0 when it is not there.
        data: Its bytes; empty when it is not there or too big.
        size_bytes: Its size.
        name: Names these exact bytes.
    """

    mode: int
    data: bytes
    size_bytes: int
    name: str

    @property
    def is_big(self) -> bool:
        """Tell whether it was too big to be read."""
        return self.size_bytes > BIG_BYTES


_NOTHING = Side(0, b"", 0, "-")


def stored_side(place: Place, entry: FileEntry | None) -> Side:
    """Return a side that is in the object store."""
    if entry is None:
        return _NOTHING
    mode, raw = entry
    _, size_bytes = place.repo.objects.stat(raw)
    if size_bytes > BIG_BYTES:
        return Side(mode, b"", size_bytes, raw.hex())
    return Side(mode, place.repo.objects.read(raw, expected="blob")[1], size_bytes, raw.hex())


def worktree_side(place: Place, path: bytes) -> Side:
    """Return a file or link as it is in the working tree now."""
    full = os.path.join(os.fsencode(place.root), path)
    try:
        info = os.lstat(full)
    except OSError:
        return _NOTHING
    if stat.S_ISLNK(info.st_mode):
        target = os.readlink(full)
        return Side(MODE_LINK, target, len(target), blob_id(target))
    if not stat.S_ISREG(info.st_mode):
        return _NOTHING
    mode = MODE_EXEC if info.st_mode & 0o100 else MODE_FILE
    if info.st_size > BIG_BYTES:
        return Side(mode, b"", info.st_size, f"{info.st_size}:{info.st_mtime_ns}")
    data = read_bytes(place.root / os.fsdecode(path), doing="read the file", limit=BIG_BYTES)
    if data is None:
        return _NOTHING
    return Side(mode, data, len(data), blob_id(data))


class Sides:
    """Finds both sides of files that are not staged or staged; reads HEAD and the stage once.

    Raises:
        MuseError: HEAD or the stage is damaged.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._head = TreeFiles(place.repo.objects, place.repo.head_tree())
        self._stage = read_stage(place.root)

    def committed(self, path: bytes) -> FileEntry | None:
        """Return what HEAD has."""
        return self._head.find(path)

    def staged(self, path: bytes) -> FileEntry | None:
        """Return what the next commit would have."""
        return self._stage.get(path, self._head.find(path))

    def read(self, key: DiffKey) -> tuple[Side, Side]:
        """Return both sides of a diff."""
        place = self._place
        if key.source is Source.STAGED:
            return (
                stored_side(place, self.committed(key.path)),
                stored_side(place, self.staged(key.path)),
            )
        return stored_side(place, self.staged(key.path)), worktree_side(place, key.path)


def read_diff(place: Place, key: DiffKey, *, context: int) -> DiffDoc:
    """Return a diff to show.

    Raises:
        MuseError: An object is missing or damaged.
    """
    if key.source is Source.COMMIT:
        return _commit_diff(place, key, context)
    old, new = Sides(place).read(key)
    title = show_path(key.path)
    token = f"{context}:{old.name}:{new.name}"
    problem = _unreadable(old, new)
    if problem:
        return DiffDoc(key, title, tuple(_notes(problem)), token=token)
    notes = _mode_notes(old.mode, new.mode)
    if old.data == new.data:
        if not notes and (old.mode or new.mode):
            notes = ["The file is empty." if not new.data else "No difference."]
        return DiffDoc(key, title, tuple(_notes(*notes)), token=token)
    text = diff_texts(old.data, new.data, context=context)
    lines = [*_notes(*notes), *_lines(text, os.fsdecode(key.path), old.data, new.data)]
    return DiffDoc(key, title, tuple(_cut(lines)), len(text.hunks), can_pick=True, token=token)


def picked_text(place: Place, key: DiffKey, token: str) -> tuple[Side, Side, TextDiff]:
    """Return both sides and the diff that ``token`` named.

    Raises:
        ConflictError: The file or the stage changed since; nothing was done.
    """
    context = int(token.partition(":")[0])
    old, new = Sides(place).read(key)
    if token != f"{context}:{old.name}:{new.name}":
        raise ConflictError(
            f"{show_path(key.path)} changed in the meantime.",
            paths=(key.path,),
            hint="Nothing was done: the diff shows it as it is now; choose again.",
        )
    return old, new, diff_texts(old.data, new.data, context=context)


def _unreadable(old: Side, new: Side) -> str:
    for side in (new, old):
        if side.is_big:
            return f"{size(side.size_bytes)}: too big to be compared here.  e opens it."
    if is_binary(old.data) or is_binary(new.data):
        was, now = size(old.size_bytes), size(new.size_bytes)
        return f"Binary: {was} before, {now} now." if old.mode else f"Binary, {now}."
    return ""


def _mode_notes(old: int, new: int) -> list[str]:
    names = {MODE_FILE: "a file", MODE_EXEC: "executable", MODE_LINK: "a link"}
    if old and new and old != new:
        return [f"was {names.get(old, oct(old))}, is now {names.get(new, oct(new))}"]
    if MODE_LINK in {old, new}:
        return ["a link; its text is its target"]
    return []


def _notes(*texts: str) -> list[DiffLine]:
    return [DiffLine("i", 0, 0, show_text(text)) for text in texts]


def _cut(lines: list[DiffLine]) -> list[DiffLine]:
    if len(lines) <= MAX_LINES:
        return lines
    more = plural(len(lines) - MAX_LINES, "more line")
    return [*lines[:MAX_LINES], DiffLine("i", 0, 0, f"… {more} not shown; e opens the file")]


def _lines(text: TextDiff, name: str, old: bytes, new: bytes, first: int = 0) -> list[DiffLine]:
    """Return the lines of a text diff with syntax and changed words."""
    old_syntax = lex(name, old) if text.removed else []
    new_syntax = lex(name, new)
    lines: list[DiffLine] = []
    for number, hunk in enumerate(text.hunks, first):
        lines.append(DiffLine("@", 0, 0, _heading(hunk), number))
        words = word_spans(hunk)
        for index, source in enumerate(hunk.lines):
            shown = source.text.decode("utf-8", "surrogateescape").removesuffix("\r")
            where = places(shown)
            syntax_lines, at = (
                (old_syntax, source.old_no) if source.origin == "-" else (new_syntax, source.new_no)
            )
            syntax = syntax_lines[at - 1] if at and at <= len(syntax_lines) else ()
            changed = tuple(Span(start, end, "word") for start, end in words.get(index, ()))
            lines.append(
                DiffLine(
                    source.origin,
                    source.old_no or 0,
                    source.new_no or 0,
                    expand(shown),
                    number,
                    index,
                    moved(syntax, where),
                    moved(changed, where),
                )
            )
            if source.no_newline:
                lines.append(DiffLine("i", 0, 0, "      ⏎ no newline at the end"))
    return lines


def _heading(hunk: Hunk) -> str:
    old = f"{hunk.old_start},{hunk.old_count}"
    new = f"{hunk.new_start},{hunk.new_count}"
    heading = hunk.heading.decode("utf-8", "replace").strip()
    return f"@@ −{old} +{new} @@  {expand(heading)}".rstrip()


# Commits ----------------------------------------------------------------------------------------


def commit_changes(place: Place, oid: str) -> tuple[Change, ...]:
    """Return what a commit changes against its first parent."""
    repo = place.repo
    commit = repo.commit(ObjectId(oid))
    old = repo.base_tree(to_raw(ObjectId(oid)), commit)
    return tuple(diff_trees(repo.objects, old, commit.tree))


def commit_files(place: Place, oid: str) -> tuple[FileRow, ...]:
    """Return the files of a commit as rows, sorted by path."""
    rows = []
    contents = StoreContents(place.repo.objects)
    changes = commit_changes(place, oid)
    counts = {}
    if len(changes) <= _COMMIT_FILES:
        result = DiffResult(changes, contents, contents, DiffOptions())
        for stat_row in result.counts():
            counts[stat_row.change.path] = stat_row
    for change in changes:
        counted = counts.get(change.path)
        binary = counted is not None and counted.binary
        rows.append(
            FileRow(
                change.path,
                show_path(change.path),
                change_mark(change),
                None if counted is None or binary else counted.added,
                None if counted is None or binary else counted.removed,
                "binary" if binary else "",
                show_path(change.old_path) if change.old_path != change.path else "",
            )
        )
    rows.sort()
    return tuple(rows)


def change_mark(change: Change) -> str:
    """Return the letter of a change."""
    if change.old_path != change.path:
        return "R"
    if change.old is None:
        return "A"
    if change.new is None:
        return "D"
    return "T" if (change.old_mode ^ change.new_mode) & 0o170000 else "M"


def _commit_diff(place: Place, key: DiffKey, context: int) -> DiffDoc:
    """Return the message and the diff of a commit, or of one file of it."""
    commit = place.repo.commit(ObjectId(key.oid))
    changes = commit_changes(place, key.oid)
    lines: list[DiffLine] = []
    title = f"{key.oid.removeprefix('sha256:')[:7]} {show_text(commit.subject)}"
    if key.path:
        changes = tuple(change for change in changes if change.path == key.path)
        title = show_path(key.path)
    else:
        lines += _commit_header(key.oid, place)
    contents = StoreContents(place.repo.objects)
    result = DiffResult(changes, contents, contents, DiffOptions(context=context))
    hunks = 0
    for file_diff in result:
        if len(lines) > MAX_LINES:
            lines += _notes("… more files are not shown; enter lists them all")
            break
        try:
            text = file_diff.compare()
            new = b"" if text.large or text.text.binary else file_diff.read_new()
            old = b"" if text.large or text.text.binary else file_diff.read_old()
        except MuseError as error:
            lines += [*_file_header(file_diff.change, ""), *_notes(error.message, error.hint)]
            continue
        lines += _file_header(file_diff.change, _totals(text))
        lines += _lines(text.text, os.fsdecode(file_diff.change.path), old, new, hunks)
        hunks += len(text.text.hunks)
    return DiffDoc(key, title, tuple(_cut(lines)), hunks, token=key.oid)


def _commit_header(oid: str, place: Place) -> list[DiffLine]:
    import time

    commit = place.repo.commit(ObjectId(oid))
    author = commit.author
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(author.time_s + author.offset_min * 60))
    subject, *body = commit.text.rstrip().split("\n")
    head = [
        f"{oid.removeprefix('sha256:')}",
        f"{author.name} <{author.email}>, {when} {author.offset}",
        "",
    ]
    shown = [DiffLine("t", 0, 0, show_text(line)) for line in body]
    return [DiffLine("f", 0, 0, show_text(subject)), *shown, *_notes("", *head)]


def _file_header(change: Change, totals: str) -> list[DiffLine]:
    name = show_path(change.path)
    if change.old_path != change.path:
        name = f"{show_path(change.old_path)} → {name}"
    return [
        DiffLine("i", 0, 0, ""),
        DiffLine("f", 0, 0, f"{change_mark(change)}  {name}  {totals}".rstrip()),
    ]


def _totals(text: FileText) -> str:
    if text.large:
        return f"{size(text.new_size)}: too big to be compared here"
    if text.text.binary:
        return f"binary, {size(text.old_size)} → {size(text.new_size)}"
    counts = (("+", text.text.added), ("−", text.text.removed))
    return " ".join(f"{sign}{number}" for sign, number in counts if number)
