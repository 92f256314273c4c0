"""The command line up to the verb: what is asked of ``muse`` itself, and which command it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from muse.cli.registry import ALIASES, CODE_VERBS, VERBS, suggest
from muse.core.errors import UsageError

# Recognised anywhere before "--", whatever the verb.
SWITCHES: Final = ("--json", "--no-pager", "--no-color", "--color")
COLOR_CHOICES: Final = ("always", "never", "auto")
# What other systems call it, or that there is no such thing yet.
_NO_MERGE: Final = "There is no merging yet: 'muse pull' moves a branch forward, or refuses."
FOREIGN: Final = {
    "stash": "'muse commit' on a branch of its own keeps work aside: 'muse switch -c later'.",
    "revert": "'muse undo' takes back the last operation; 'muse restore' brings files back.",
    "fsck": "It is called 'muse verify'.",
    "blame": "Muse has 'muse log -p -- <path>'.",
    "merge": _NO_MERGE,
    "rebase": _NO_MERGE,
    "cherry-pick": "'muse restore --source <commit> -- <path>' takes files from another commit.",
    "clean": "Muse never removes untracked files: 'muse status -s' lists them.",
    "cat-file": "It is called 'muse cat-object'.",
    "show-ref": "'muse branch -a' and 'muse tag' list refs.",
    "for-each-ref": "'muse branch -a' and 'muse tag' list refs.",
    "ls-files": "It is called 'muse ls-tree -r HEAD'.",
    "ls-remote": "'muse remote show <name>' lists what a remote has.",
    "describe": "'muse log --oneline' shows the tags on the way.",
    "grep": "Use grep itself; 'muse log --grep <pattern>' searches messages.",
    "submodule": "A repository inside another is left alone; there are no submodules.",
    "prune": "It is called 'muse gc'.",
    "repack": "It is called 'muse gc'.",
    "version": "It is called 'muse --version'.",
    "import": "It is called 'muse bridge git-import'.",
    "export": "It is called 'muse bridge git-export'.",
}


class Invocation:
    """A command line, taken apart.

    Attributes:
        directories: Each ``-C``, in order.
        json: Whether ``--json`` was given.
        color: "always", "never" or "auto".
        pager: Whether long output may be paged.
        help: Whether help was asked for before the verb.
        version: Whether the version was asked for.
        verb: The command; empty when there is none.
        arguments: What follows it.
    """

    __slots__ = (
        "arguments", "color", "directories", "help", "json", "pager", "verb", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.directories: list[str] = []
        self.json = False
        self.color = "auto"
        self.pager = True
        self.help = False
        self.version = False
        self.verb = ""
        self.arguments: list[str] = []


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether ``--json`` stands anywhere before ``--``; needs no valid command line."""
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def parse_invocation(arguments: Sequence[str]) -> Invocation:
    """Take a command line apart, up to the verb's own arguments.

    Raises:
        UsageError: An option before the verb is unknown or lacks its value, or the verb is unknown.
    """
    found = Invocation()
    words = list(arguments)
    while words and words[0].startswith("-") and words[0] != "--":
        word = words.pop(0)
        if word.startswith("-C"):
            if word == "-C" and not words:
                raise UsageError("-C needs a folder.", hint="As in 'muse -C ~/project status'.")
            found.directories.append(word[2:] or words.pop(0))
        elif word in {"-h", "--help"}:
            found.help = True
        elif word == "--version":
            found.version = True
        elif not _take_switch(found, word):
            known = ["--json", "--help", "--version", "--color", "--no-color", "--no-pager", "-C"]
            raise UsageError(
                f"'{word}' is not an option of muse.",
                hint=suggest(word, known) or "'muse --help' shows what there is.",
            )
    rest = words[: words.index("--")] if "--" in words else words
    tail = words[len(rest) :]
    found.arguments = [word for word in rest if not _take_switch(found, word)] + tail
    if found.arguments:
        found.verb = _resolve(found)
    return found


def _take_switch(found: Invocation, word: str) -> bool:
    name, equals, value = word.partition("=")
    if name not in SWITCHES or (equals and name != "--color"):
        return False
    if name == "--json":
        found.json = True
    elif name == "--no-pager":
        found.pager = False
    else:
        choice = "never" if name == "--no-color" else value or "always"
        if choice not in COLOR_CHOICES:
            raise UsageError(
                f"'{value}' is not a choice for --color.", hint="Use always, never or auto."
            )
        found.color = choice
    return True


def _resolve(found: Invocation) -> str:
    """Take the verb off the arguments; 'code add' is 'add'."""
    word = found.arguments.pop(0)
    if word == "code":
        return _resolve_code(found)
    verb = ALIASES.get(word, word)
    if verb not in VERBS:
        raise UsageError(
            f"'{word}' is not a muse command.",
            hint=FOREIGN.get(word)
            or suggest(word, [*VERBS, *ALIASES])
            or "'muse --help' lists the commands.",
        )
    return verb


def _resolve_code(found: Invocation) -> str:
    listed = ", ".join(CODE_VERBS)
    if found.arguments and found.arguments[0] in {"-h", "--help"}:
        found.help = True
        return ""
    if not found.arguments:
        raise UsageError("'muse code' needs a command.", hint=f"One of: {listed}.")
    word = found.arguments.pop(0)
    if word not in CODE_VERBS:
        raise UsageError(
            f"'code {word}' is not a muse command.",
            hint=suggest(word, CODE_VERBS) or f"'muse code' takes: {listed}.",
        )
    return word
