"""Every parser: a typed error or a correct result, never a crash, a hang or much memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from muse.core import codec
from tests.fuzz.entries import ENTRIES, PACKED, feed

CORPUS: Final = Path(__file__).parent / "corpus"
# What an interpreter needs to fail, and a hundred times the input.
ROOM: Final = 4 << 20

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.binary(max_size=70)
    | st.text(max_size=20) | st.floats(),
    lambda inner: st.lists(inner, max_size=12)
    | st.dictionaries(st.text(max_size=9) | st.binary(max_size=9), inner, max_size=6),
    max_leaves=40,
)  # fmt: skip
settings_ = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def seeds(name: str) -> list[bytes]:
    """Return the corpus of an entry point."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_corpus(name: str) -> None:
    """Each has seeds, and what was found once stays fixed."""
    assert seeds(name)
    for data in seeds(name):
        feed(name, data)


@pytest.mark.parametrize("name", ENTRIES)
@settings_
@given(data=st.binary(max_size=400))
@example(data=b"")
@example(data=b"\0" * 80)
@example(data=b"\xff" * 80)
def test_noise(name: str, data: bytes) -> None:
    """Any bytes."""
    feed(name, data)


@pytest.mark.parametrize("name", ENTRIES)
@settings_
@given(data=st.data())
def test_seeds_that_were_changed(name: str, data: st.DataObject) -> None:
    """What is nearly right: cut, with other bytes, or with a stretch repeated."""
    content = bytearray(data.draw(st.sampled_from(seeds(name))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(at, len(content)))
        content[at:end] = data.draw(st.binary(max_size=8) | st.just(bytes(content[at:end]) * 2))
    feed(name, bytes(content))


@pytest.mark.parametrize("name", PACKED)
@settings_
@given(value=VALUES)
@example(value=[])
@example(value={})
@example(value=[1 << 40] * 11)
@example(value=[[[1 << 40, b""]], [], [], []])
def test_nonsense_of_the_right_shape(name: str, value: object) -> None:
    """Well-formed values that mean nothing, and memory that stays in proportion."""
    try:
        data = codec.pack(value)
    except (OverflowError, UnicodeEncodeError):
        return
    tracemalloc.start()
    try:
        feed(name, data)
        assert tracemalloc.get_traced_memory()[1] < ROOM + 100 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", PACKED)
def test_deep_nesting(name: str) -> None:
    """A thousand lists in one another, or a million, are an error like any other."""
    for depth in (1000, 1_000_000):
        feed(name, b"\x91" * depth + b"\x90")
