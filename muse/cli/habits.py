"""What fingers that know git type, and what Muse has in its place; for hints only."""

from __future__ import annotations

from typing import Final

_FORMAT: Final = "For programs there is --json, for people --oneline."
_BACK: Final = (
    "'muse undo' takes back the last operation, commits too; 'muse restore --staged --worktree .' "
    "gives up changes, into the trash."
)
# By command, then by the option or word as it was typed, without its value.
OPTIONS: Final = {
    "muse reset": {"--hard": _BACK, "--soft": _BACK, "--mixed": _BACK, "--keep": _BACK},
    "muse log": {
        "--format": _FORMAT,
        "--pretty": _FORMAT,
        "--follow": "Name the old path, too: 'muse log -- <new> <old>'.",
        "--decorate": "Names are always shown.",
        "--branches": "--all takes branches, tags and remotes.",
        "--tags": "--all takes branches, tags and remotes.",
        "--remotes": "--all takes branches, tags and remotes.",
    },
    "muse status": {
        "--porcelain": "-s is one line a path, and --json is for programs.",
    },
    "muse push": {
        "-f": "Use --force-with-lease: it never drops what you have not seen.",
        "--all": "Name the branches: 'muse push origin main topic'.",
    },
    "muse config": {
        "--global": "It is called --user.",
        "--list": "'muse config' alone lists all.",
        "-l": "'muse config' alone lists all.",
        "--get": "'muse config <name>' alone prints it.",
    },
    "muse branch": {"--list": "'muse branch' alone lists them."},
    "muse remote": {"prune": "It is called 'muse fetch --prune <name>'."},
    "muse add": {"-p": "'muse tui' stages hunks and lines."},
    "muse commit": {"-p": "'muse tui' stages hunks and lines."},
    "muse pull": {"--rebase": "'muse pull' moves forward or refuses; there is no rebase yet."},
}

# By command, for a path where none is taken.
PATHS: Final = {
    "muse commit": "'muse add <path>' stages it, then 'muse commit' takes what is staged.",
}


def find_habit(program: str, option: str) -> str:
    """Return what to type in place of an option or word of git's; empty when nothing is known."""
    if not option.startswith("-") and program in PATHS:
        return PATHS[program]
    return OPTIONS.get(program, {}).get(option.partition("=")[0], "")
