"""Packed paths are a list of paths, in another place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from muse.core.packed_paths import PackedPaths, iter_packed, path_ends

paths = st.lists(st.binary(max_size=4).filter(lambda path: b"\0" not in path), max_size=8)


def make(names: list[bytes]) -> PackedPaths:
    """Pack paths, and lay the sequence over the bytes."""
    data = b"".join(map(bytes, iter_packed(names)))
    return PackedPaths(memoryview(data), path_ends(names))


class TestPackedPaths:
    """Whatever is asked of the list, the packed paths say the same."""

    @given(names=paths, low=st.integers(-9, 9), high=st.integers(-9, 9), step=st.integers(1, 3))
    def test_like_a_list(self, names: list[bytes], low: int, high: int, step: int) -> None:
        """Items, slices, lengths and iteration."""
        packed = make(names)
        assert len(packed) == len(names)
        assert list(packed) == names
        assert packed[low:high:step] == names[low:high:step]
        for at in range(-len(names), len(names)):
            assert packed[at] == names[at]
        assert list(path_ends(packed)) == list(path_ends(names))
        assert b"".join(iter_packed(packed)) == b"".join(iter_packed(names))

    @given(names=paths)
    def test_beyond_the_end(self, names: list[bytes]) -> None:
        """There is nothing, on either side."""
        packed = make(names)
        for at in (len(names), -len(names) - 1):
            try:
                packed[at]
            except IndexError:
                continue
            raise AssertionError(at)
