"""Texts as people have them, and edits of them: what the diff tests draw from."""

from __future__ import annotations

from hypothesis import strategies as st

_LINE = st.one_of(
    st.sampled_from([b"", b"a", b"b", b"}", b"  return x", b"def f():", b"_x = 1", b"$y", b"\tz"]),
    st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"\\")),
)
_END = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"])


@st.composite
def texts(draw: st.DrawFn, *, max_lines: int = 30) -> bytes:
    """Draw a text: repeated lines, CRLF here and there, a final newline or none."""
    lines = draw(st.lists(st.tuples(_LINE, _END), max_size=max_lines))
    text = b"".join(line + end for line, end in lines)
    return text if draw(st.booleans()) else text.removesuffix(b"\n")


@st.composite
def edited_texts(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a text and an edit of it: lines replaced, removed, inserted, or another text."""
    old = draw(texts())
    lines = old.split(b"\n")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines)))
        size = draw(st.integers(0, 3))
        lines[at : at + size] = draw(st.lists(_LINE, max_size=3))
    new = b"\n".join(lines)
    return old, draw(st.sampled_from([new, new, new + b"\n", new.removesuffix(b"\n")]))
