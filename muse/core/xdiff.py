"""The comparison itself: libgit2's xdiff, the algorithm of git, with git's defaults."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from typing import Final, Literal, Protocol, cast

Whitespace = Literal["none", "all", "change", "eol"]

# git's words, as libgit2 numbers them (git_diff_option_t); stable across its versions.
_INDENT_HEURISTIC: Final = 1 << 18
_FORCE_TEXT: Final = 1 << 20
_WHITESPACE: Final = {"none": 0, "all": 1 << 22, "change": 1 << 23, "eol": 1 << 24}


class _Patch(Protocol):
    """What is used of libgit2's patches."""

    data: bytes
    line_stats: tuple[int, int, int]

    @staticmethod
    def create_from(old: bytes, new: bytes, *, flag: int, context_lines: int) -> _Patch:
        """Compare two buffers."""


@cache
def _patch_class() -> type[_Patch]:
    """Return libgit2's patches.

    Start-up time: importing the package `pygit2` costs 60 ms, for what wraps its repositories and
    remotes; its extension module alone, which is all that is needed here, costs 10. It is
    loaded under no name, so that whoever imports the package later gets all of it.
    """
    from importlib.machinery import PathFinder
    from importlib.util import find_spec, module_from_spec

    found = None if "pygit2" in sys.modules else find_spec("pygit2")
    if found is not None:
        spec = PathFinder.find_spec("pygit2._pygit2", found.submodule_search_locations)
        if spec is not None and spec.loader is not None:
            # A version that is built otherwise is imported as a whole.
            with suppress(ImportError, AttributeError):
                extension = module_from_spec(spec)
                spec.loader.exec_module(extension)
                return cast("type[_Patch]", extension.Patch)
    from pygit2 import Patch

    return cast("type[_Patch]", Patch)


def compare_lines(
    old: bytes, new: bytes, *, context: int, whitespace: Whitespace = "none"
) -> tuple[bytes, int, int]:
    """Compare two texts line by line.

    Args:
        old: The text before.
        new: The text after.
        context: Lines of context around each change.
        whitespace: What to ignore.

    Returns:
        A patch with some header, the number of added lines, and that of removed ones.
    """
    patch = _patch_class().create_from(
        old,
        new,
        flag=_WHITESPACE[whitespace] | _FORCE_TEXT | _INDENT_HEURISTIC,
        context_lines=context,
    )
    _, added, removed = patch.line_stats
    return patch.data, added, removed
