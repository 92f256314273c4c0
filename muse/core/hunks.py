"""Apply a part of a diff: whole hunks or single lines, forwards (stage) or backwards (unstage).

The result for any selection is what ``git apply`` makes of the patch that holds just the selected
lines. Two cases need a rule of their own:

* *Where do selected additions go* among removed lines that were not selected and so stay? After
  the last selected removal of their run, so that of ``-a -b +A +B`` the pair ``-a +A`` gives
  ``A b`` and not ``b A``. Without a selected removal they follow the run's kept lines.
* *A final line without a newline* that does not end up final gets its newline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from muse.core.errors import ConflictError
from muse.core.text_diff import Hunk, Line, TextDiff, change_blocks

# A whole hunk by its index, or one line as (index of the hunk, index in its lines).
Selection = Collection[int | tuple[int, int]]


class _Direction(NamedTuple):
    """Which sign is taken out and which is put in: forwards ``-``/``+``, backwards ``+``/``-``."""

    gone: str
    new: str
    # Backwards, a run's ``-`` lines stand before the ``+`` lines that are kept.
    kept_first: bool


_FORWARDS = _Direction("-", "+", kept_first=True)
_BACKWARDS = _Direction("+", "-", kept_first=False)


def apply_hunks(old: bytes, diff: TextDiff, selection: Selection) -> bytes:
    """Apply the selected part of ``diff`` to its old side.

    Args:
        old: The old side that ``diff`` was made from.
        diff: From `diff_texts`; context may have been compared without whitespace.
        selection: Indices of hunks, and (hunk, line) pairs; selected context means nothing.

    Returns:
        ``old`` for an empty selection, the new side when every hunk is selected (unless
        whitespace was ignored: then lines that differ in it alone stay as they are).

    Raises:
        ConflictError: ``old`` is not the text that ``diff`` was made from.
        IndexError: The selection names a hunk or line that is not there.
        ValueError: ``diff`` is of binary content.
    """
    return _apply(old, diff, selection, _FORWARDS)


def reverse_hunks(new: bytes, diff: TextDiff, selection: Selection) -> bytes:
    """Take the selected part of ``diff`` back out of its new side, as unstaging does.

    Args:
        new: The new side that ``diff`` was made from.
        diff: As for `apply_hunks`.
        selection: As for `apply_hunks`.

    Returns:
        ``new`` for an empty selection, the old side when every hunk is selected.

    Raises:
        ConflictError: ``new`` is not the text that ``diff`` was made from.
        IndexError: The selection names a hunk or line that is not there.
        ValueError: ``diff`` is of binary content.
    """
    return _apply(new, diff, selection, _BACKWARDS)


def _apply(base: bytes, diff: TextDiff, selection: Selection, way: _Direction) -> bytes:
    if diff.binary:
        raise ValueError("binary content has no lines to select")
    picked = _picked(diff, selection)
    source = _Base.of(base)
    rows: list[bytes] = []
    # Whether the row written last has no newline after it.
    is_open = False
    at = 0
    for index, hunk in enumerate(diff.hunks):
        start = _start(hunk, way)
        if start > at:
            rows += source.lines[at:start]
            is_open = source.is_open(start - 1)
            at = start
        for line in _arrange(hunk, picked[index], way):
            if line.origin == way.new:
                rows.append(line.text)
                is_open = line.no_newline
                continue
            source.check(at, line, diff)
            if line.origin == " " or line not in picked[index]:
                rows.append(source.lines[at])
                is_open = source.is_open(at)
            at += 1
    if at < len(source.lines):
        rows += source.lines[at:]
        is_open = source.is_open(len(source.lines) - 1)
    text = b"\n".join(rows)
    return text if is_open or not rows else text + b"\n"


class _Base(NamedTuple):
    """The side that a part is applied to."""

    lines: list[bytes]
    ends_open: bool

    @classmethod
    def of(cls, data: bytes) -> _Base:
        lines = data.split(b"\n")
        ends_open = bool(lines[-1])
        if not ends_open:
            lines.pop()
        return cls(lines, ends_open)

    def is_open(self, at: int) -> bool:
        return self.ends_open and at == len(self.lines) - 1

    def check(self, at: int, line: Line, diff: TextDiff) -> None:
        """Refuse a text that the diff was not made from, rather than write a mixture."""
        if at < len(self.lines):
            same = self.lines[at] == line.text and self.is_open(at) == line.no_newline
            if same or (line.origin == " " and diff.whitespace != "none"):
                return
        raise ConflictError(
            f"The text is not the one that was compared: line {at + 1} differs.",
            hint="Nothing was written. Compare again and repeat the selection.",
        )


def _picked(diff: TextDiff, selection: Selection) -> list[set[Line]]:
    """Return the selected lines of each hunk; line numbers make each line unlike any other."""
    picked: list[set[Line]] = [set() for _ in diff.hunks]
    for item in selection:
        if isinstance(item, int):
            picked[item].update(line for line in diff.hunks[item].lines if line.origin != " ")
        else:
            line = diff.hunks[item[0]].lines[item[1]]
            if line.origin != " ":
                picked[item[0]].add(line)
    return picked


def _start(hunk: Hunk, way: _Direction) -> int:
    """Return how many lines of the base stand before the hunk."""
    first, count = (
        (hunk.old_start, hunk.old_count) if way.gone == "-" else (hunk.new_start, hunk.new_count)
    )
    return first - 1 if count else first


def _arrange(hunk: Hunk, picked: set[Line], way: _Direction) -> Iterable[Line]:
    """Yield context, all lines of the base, and the selected new ones, in their final order."""
    at = 0
    for minus, plus in change_blocks(hunk):
        yield from hunk.lines[at : minus.start]
        at = plus.stop
        base, fresh = (minus, plus) if way.gone == "-" else (plus, minus)
        kept = [hunk.lines[i] for i in base]
        added = [line for line in (hunk.lines[i] for i in fresh) if line in picked]
        cut = max((i + 1 for i, line in enumerate(kept) if line in picked), default=None)
        if cut is None:
            cut = len(kept) if way.kept_first else 0
        yield from kept[:cut]
        yield from added
        yield from kept[cut:]
    yield from hunk.lines[at:]
