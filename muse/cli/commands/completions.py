"""``muse completions <shell>``: the script that makes the Tab key work."""

from __future__ import annotations

import argparse
from pathlib import Path

from muse.cli.context import Context, Result
from muse.core.errors import UsageError

SUMMARY = "print the script that completes muse in your shell"
EXAMPLES = (
    ('eval "$(muse completions bash)"', "in ~/.bashrc"),
    ("source <(muse completions zsh)", "in ~/.zshrc, after compinit"),
    ("muse completions fish | source", "in ~/.config/fish/config.fish"),
)
SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "shell",
        choices=[*SHELLS, "candidates"],
        metavar="shell",
        help=f"one of {', '.join(SHELLS)}",
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Print a script; or, for the scripts, what can stand at the cursor."""
    if args.shell == "candidates":
        from muse.cli.completion import find_candidates

        found = find_candidates(args.words, cwd=ctx.cwd, env=ctx.env)
        lines = [f"{word}\t{what}" if what else word for word, what in found]
        return Result({"candidates": [word for word, _ in found]}, lines)
    if args.words:
        raise UsageError("One shell at a time.", hint=f"One of: {', '.join(SHELLS)}.")
    script = (Path(__file__).parent.parent / "shells" / f"muse.{args.shell}").read_text("utf-8")
    return Result({"shell": args.shell, "script": script}, script)
