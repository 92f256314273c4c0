"""Which commands there are, and in which module each one lives.

A verb's module is ``muse.cli.commands.<verb>`` with ``_`` for ``-``; only the module of the verb
that was typed is imported (start-up time is a feature). Adding a command is adding a module with
``SUMMARY``, ``EXAMPLES``, ``configure`` and ``run``, and one word here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # start-up time: typing is not needed to find a command
    import argparse
    from collections.abc import Sequence
    from typing import Protocol

    from muse.cli.context import Context, Result

    class Command(Protocol):
        """What a module in ``muse/cli/commands/`` offers."""

        @property
        def SUMMARY(self) -> str:  # noqa: N802  # a module's constant
            """One line for the list of commands."""

        @property
        def EXAMPLES(self) -> Sequence[tuple[str, str]]:  # noqa: N802  # a module's constant
            """Pairs of a command line and what it does."""

        def configure(self, parser: argparse.ArgumentParser) -> None:
            """Declare the arguments."""

        def run(self, ctx: Context, args: argparse.Namespace) -> Result:
            """Do it."""


GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("start", ("init", "clone")),
    ("work on changes", ("status", "diff", "add", "reset", "rm", "mv", "commit", "restore")),
    ("look back, and go back", ("log", "show", "reflog", "undo", "redo")),
    ("branches and tags", ("branch", "switch", "checkout", "tag")),
    ("other places", ("remote", "push", "fetch", "pull", "bridge")),
    ("keep it sound", ("health", "verify", "doctor", "gc", "selftest")),
    ("settings and tools", ("config", "tui", "completions", "help")),
    ("for scripts", ("rev-parse", "cat-object", "hash-object", "ls-tree", "serve")),
)
VERBS: tuple[str, ...] = tuple(verb for _, verbs in GROUPS for verb in verbs)
ALIASES: dict[str, str] = {
    "st": "status",
    "ci": "commit",
    "co": "checkout",
    "br": "branch",
    "stage": "add",
    "unstage": "reset",
}
# 'muse code <verb>' is the long form of the verbs that work on files.
CODE_VERBS: tuple[str, ...] = ("add", "reset", "rm", "mv", "status", "diff", "commit", "restore")
# Output that may be long goes through the pager when a terminal reads it.
PAGED: frozenset[str] = frozenset({"log", "diff", "show", "reflog", "help"})


def load_command(verb: str) -> Command:
    """Import one command's module.

    Args:
        verb: One of `VERBS`.
    """
    from importlib import import_module

    module: Command = import_module(f"muse.cli.commands.{verb.replace('-', '_')}")
    return module


def suggest(word: str, known: Sequence[str]) -> str:
    """Return "did you mean …?" for a mistyped word; empty when nothing is near."""
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), known, n=3, cutoff=0.6)
    if not near:
        return ""
    names = [f"'{name}'" for name in near]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return f"Did you mean {listed}?"
