"""What can stand where the cursor is: the one engine behind every shell's completion.

The shells' scripts know no command; they ask ``muse completions candidates -- <words>``, so that a
new option is completed the moment it exists. Completing never writes and never fails loudly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from muse.cli.invocation import COLOR_CHOICES
from muse.cli.parsing import MuseParser, build_parser
from muse.cli.registry import ALIASES, CODE_VERBS, VERBS, load_command
from muse.core.errors import MuseError

Candidate = tuple[str, str]
# The line that tells a shell to offer files as well.
FILES: Final = (":files", "")
GLOBAL_OPTIONS: Final[tuple[Candidate, ...]] = (
    ("-C", "run as if started there"),
    ("--json", "print one JSON object"),
    ("--color", "always, never or auto"),
    ("--no-pager", "write straight to the terminal"),
    ("--version", "print the version"),
    ("--help", "list the commands"),
)
# What a verb's positional arguments name; files where nothing is said. Of several, the n-th is
# for the n-th argument, and the last for all further ones.
POSITIONALS: Final[Mapping[str, tuple[str, ...]]] = {
    "branch": ("branches",),
    "bridge": ("files",),
    "cat-object": ("refs",),
    "checkout": ("refs+files",),
    "completions": ("none",),
    "config": ("settings", "none"),
    "diff": ("refs+files",),
    "fetch": ("remotes", "branches"),
    "help": ("verbs",),
    "log": ("refs+files",),
    "ls-tree": ("refs", "files"),
    "pull": ("remotes", "branches"),
    "push": ("remotes", "branches"),
    "reflog": ("refs",),
    "remote": ("remotes", "files"),
    "rev-parse": ("refs",),
    "show": ("refs+files",),
    "switch": ("branches",),
    "tag": ("tags", "refs"),
}


def find_candidates(words: list[str], *, cwd: Path, env: Mapping[str, str]) -> list[Candidate]:
    """Return what can stand at the cursor.

    Args:
        words: The words after ``muse``; the last one is being typed and may be empty.
        cwd: The working folder.
        env: The environment.

    Returns:
        Pairs of a word and what it is, each beginning with the last of ``words``; `FILES` among
        them when a path could stand there.
    """
    *before, current = words or [""]
    finder = _Finder(cwd, env)
    found = finder.find(before, current)
    return [pair for pair in found if pair == FILES or pair[0].startswith(current)]


class _Finder:
    """Looks candidates up; repositories are opened for reading only.

    Args:
        cwd: The working folder.
        env: The environment.
    """

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self._cwd = cwd
        self._env = env

    def find(self, before: list[str], current: str) -> list[Candidate]:
        """Return all that can follow the words before the cursor."""
        verb, rest = self._skip_globals(before)
        if verb == "-C":
            return [FILES]
        if not verb:
            if current.startswith("-"):
                return list(GLOBAL_OPTIONS)
            return [(name, load_command(name).SUMMARY) for name in VERBS]
        if verb == "code" and not rest:
            return [(name, load_command(name).SUMMARY) for name in CODE_VERBS]
        if verb == "code":
            verb, *rest = rest
        verb = ALIASES.get(verb, verb)
        if verb not in VERBS:
            return []
        return self._after_verb(verb, rest, current)

    def _skip_globals(self, words: list[str]) -> tuple[str, list[str]]:
        """Return the verb and what follows; ``-C`` when its folder is what is being typed."""
        left = list(words)
        while left and left[0].startswith("-"):
            word = left.pop(0)
            if word == "-C":
                if not left:
                    return "-C", []
                self._cwd = self._cwd / left.pop(0)
        return (left[0], left[1:]) if left else ("", [])

    def _after_verb(self, verb: str, words: list[str], current: str) -> list[Candidate]:
        if "--" in words:
            return [FILES]
        parser: argparse.ArgumentParser = build_parser(verb, load_command(verb))
        nested = _subcommands(parser)
        place = 0
        while words:
            word = words.pop(0)
            option = _option(parser, word)
            if option is not None and option.nargs != 0 and "=" not in word:
                if not words:
                    return self._values(option)
                words.pop(0)
            elif nested is not None and word in nested.choices:
                parser = nested.choices[word]
                nested, place = _subcommands(parser), 0
            elif not word.startswith("-"):
                place += 1
        if current.startswith("-"):
            return _options(parser)
        if nested is not None:
            return [(action.dest, action.help or "") for action in _choices(nested)]
        return self._positional(verb, parser, place)

    def _values(self, option: argparse.Action) -> list[Candidate]:
        if option.choices is not None:
            return [(str(choice), "") for choice in option.choices]
        kind = (option.metavar if isinstance(option.metavar, str) else option.dest).lower()
        if "rev" in kind or kind in {"commit", "source", "upstream", "set_upstream_to"}:
            return self._lookup("refs")
        return [FILES] if kind in {"file", "path", "folder", "dir"} else []

    def _positional(
        self, verb: str, parser: argparse.ArgumentParser, place: int
    ) -> list[Candidate]:
        for index, action in enumerate(_positionals(parser)):
            if index == place and action.choices is not None:
                return [(str(c), "") for c in action.choices if c != "candidates"]
        kinds = POSITIONALS.get(verb, ("files",))
        return self._lookup(kinds[min(place, len(kinds) - 1)])

    def _lookup(self, kind: str) -> list[Candidate]:
        lookups: Mapping[str, Callable[[], Iterator[Candidate]]] = {
            "branches": lambda: self._refs("refs/heads/", "refs/remotes/"),
            "tags": lambda: self._refs("refs/tags/"),
            "refs": lambda: self._refs("refs/heads/", "refs/tags/", "refs/remotes/"),
            "remotes": self._remotes,
            "settings": self._settings,
            "verbs": lambda: ((name, load_command(name).SUMMARY) for name in VERBS),
        }
        found: list[Candidate] = []
        for part in kind.split("+"):
            if part == "files":
                found.append(FILES)
            elif part != "none":
                try:
                    found += lookups[part]()
                except (MuseError, OSError):
                    # No repository here, or a damaged one: there is nothing to offer.
                    continue
        return found

    def _root(self) -> Path:
        from muse.core.repo import find_root

        return find_root(Path(self._env.get("MUSE_REPO_ROOT") or self._cwd))

    def _refs(self, *prefixes: str) -> Iterator[Candidate]:
        from muse.core.refs import RefStore, short_name

        what = {"refs/heads/": "branch", "refs/tags/": "tag", "refs/remotes/": "remote branch"}
        refs = RefStore(self._root())
        for prefix in prefixes:
            yield from ((short_name(name), what[prefix]) for name in refs.iter_names(prefix))
        if len(prefixes) > 1:
            yield "HEAD", "what is checked out"

    def _remotes(self) -> Iterator[Candidate]:
        from muse.core.config import Config
        from muse.core.paths import config_path

        config = Config(config_path(self._root()))
        for name in config.sections("remote"):
            yield name, config.get(f"remote.{name}.url") or ""

    def _settings(self) -> Iterator[Candidate]:
        from muse.cli.commands.config import ACTIONS, KNOWN

        yield from ((action, "") for action in ACTIONS)
        for line in KNOWN.splitlines()[1:]:
            keys, _, what = line.strip().partition("  ")
            yield from ((key, what.strip()) for key in keys.split(", ") if "<" not in key)


def _options(parser: argparse.ArgumentParser) -> list[Candidate]:
    return [
        (option, action.help or "")
        for action in parser._actions  # noqa: SLF001  # argparse offers no public list
        if action.help != argparse.SUPPRESS
        for option in action.option_strings
    ] + [("--color", "always, never or auto"), ("--no-pager", "write straight to the terminal")]


def _option(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    if word == "--color":
        return argparse.Action(["--color"], "color", choices=COLOR_CHOICES, nargs=0)
    name = word.split("=", 1)[0]
    for action in parser._actions:  # noqa: SLF001  # as above
        if name in action.option_strings:
            return action
    return None


def _positionals(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not action.option_strings]  # noqa: SLF001  # as above


class _Nested:
    """The subcommands of a parser.

    Args:
        action: argparse's record of them.
    """

    def __init__(self, action: argparse.Action) -> None:
        self.action = action
        self.choices: dict[str, MuseParser] = dict(action.choices or {})


def _subcommands(parser: argparse.ArgumentParser) -> _Nested | None:
    for action in parser._actions:  # noqa: SLF001  # as above
        if action.nargs == argparse.PARSER:
            return _Nested(action)
    return None


def _choices(nested: _Nested) -> list[argparse.Action]:
    return list(nested.action._get_subactions())  # type: ignore[attr-defined]  # noqa: SLF001  # as above
