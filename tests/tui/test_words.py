"""Words and numbers for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from muse_tui.backend.syntax import expand, lex, moved, places
from muse_tui.model import Span
from muse_tui.widgets.text import fit, fit_path, line, wrap
from muse_tui.words import ago, clean, count, plural, size

pytestmark = pytest.mark.tui


@given(st.text(), st.integers(-1, 30))
def test_what_is_fitted_fits(text: str, width: int) -> None:
    """A text cut to a width takes at most that many cells."""
    assert cell_len(fit(clean(text), width)) <= max(width, 0)


@given(st.text(st.characters(exclude_characters="/"), min_size=1), st.text(), st.integers(0, 40))
def test_paths_fit_and_keep_their_name(name: str, folder: str, width: int) -> None:
    """Of a path that is too long the folder goes first."""
    name = clean(name)
    shown_folder, shown_name = fit_path(clean(f"{folder}/{name}"), width)
    assert cell_len(shown_folder) + cell_len(shown_name) <= max(width, 0)
    if cell_len(name) <= width and name:
        assert shown_name == name


@given(st.text(), st.integers(2, 40))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    """Every line of a wrapped text fits."""
    assert all(cell_len(part) <= width for part in wrap(clean(text), width))


@given(st.text())
def test_clean_text_is_printable(text: str) -> None:
    """Nothing that a terminal would obey is left."""
    assert clean(text).isprintable()
    assert expand(text).isprintable()


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=3), st.integers(0, 50))
def test_a_line_is_as_wide_as_asked(left: list[str], right: list[str], width: int) -> None:
    """Whatever stands in a line, it fills its cells exactly."""
    style = Style()
    strip = line(
        [(clean(text), style) for text in left],
        [(clean(text), style) for text in right],
        width=width,
        base=style,
    )
    assert strip.cell_length == width


def test_spans_follow_tabs() -> None:
    """A span of the file is the same characters of the drawn line."""
    text = "\tif x:\ty"
    where = places(text)
    assert expand(text) == "    if x:   y"
    assert moved((Span(1, 3, "keyword"),), where) == (Span(4, 6, "keyword"),)


def test_lexing_is_by_line() -> None:
    """A string over three lines is a string on each of them."""
    spans = lex("x.py", b'a = """one\ntwo\nthree"""\n')
    assert [span.kind for span in spans[1]] == ["string"]
    assert lex("unknown.zzz", b"x") == []


def test_numbers() -> None:
    """Ages, counts and sizes are short."""
    assert [ago(n) for n in (5, 120, 7200, 200_000, 9e7)] == ["now", "2 m", "2 h", "2 d", "2 y"]
    assert count(12034) == "12 034"
    assert [size(n) for n in (0, 999, 41_000, 3_100_000)] == ["0 B", "999 B", "41 KB", "3.1 MB"]
    assert [plural(1, "file"), plural(2, "file")] == ["1 file", "2 files"]
