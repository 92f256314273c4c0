"""``muse config``: read and change settings."""

from __future__ import annotations

import argparse

from muse.cli.context import Context, Result
from muse.core.errors import MuseError, UsageError
from muse.core.paths import show_text

SUMMARY = "read and change settings"
EXAMPLES = (
    ("muse config --user user.name 'Ada Lovelace'", "who you are, in all your repositories"),
    ("muse config user.email ada@example.com", "an address for this repository alone"),
    ("muse config user.name", "show one setting"),
    ("muse config unset user.name", "remove it"),
    ("muse config list", "show all that are in force"),
)
ACTIONS = ("get", "set", "unset", "list")
KNOWN = """\
settings that Muse reads:
  user.name, user.email     who makes your commits
  init.branch               name of a new repository's first branch
  core.gitignore            false: only .museignore counts
  core.editor, core.pager   programs to use; only ever read from --user
  core.durability           full (default), batch, or none: for clones to throw away
  safe.directories          repositories of other users that you trust, joined by ':'; --user
  remote.<name>.url         see 'muse remote'
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="word",
        help="<key> · <key> <value> · get <key> · set <key> <value> · unset <key> · list",
    )
    parser.add_argument(
        "--user",
        action="store_true",
        help="your own file, ~/.config/muse/config.toml, for all your repositories",
    )
    parser.epilog = KNOWN


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Read or change one setting, or list them."""
    action, words = _parse(args.words)
    if action == "list":
        return _list(ctx, user=args.user)
    if action == "get":
        return _get(ctx, words[0], user=args.user)
    key, value = words[0], _typed(words[1]) if action == "set" else None
    if action == "unset":
        _require_own(ctx, key, user=args.user)
    _change(ctx, key, value, user=args.user)
    shown = show_text(str(words[1])) if action == "set" else ""
    text = f"{show_text(key)} = {shown}" if action == "set" else f"{show_text(key)} is unset."
    return Result({"key": key, "value": value, "user": args.user}, text)


def _parse(words: list[str]) -> tuple[str, list[str]]:
    """Return the action and its words; a key alone is read, a key and a value is set."""
    if not words:
        return "list", []
    action, rest = (words[0], words[1:]) if words[0] in ACTIONS else ("", words)
    if not action:
        action = "get" if len(rest) == 1 else "set"
    expected = {"list": 0, "get": 1, "unset": 1, "set": 2}[action]
    if len(rest) != expected:
        form = {"list": "", "get": " <key>", "unset": " <key>", "set": " <key> <value>"}[action]
        raise UsageError(
            f"'muse config {action}' takes {expected} words, not {len(rest)}.",
            hint=f"Type 'muse config {action}{form}'; quote a value that has spaces.",
        )
    return action, rest


def _list(ctx: Context, *, user: bool) -> Result:
    config = ctx.config(here=not user)
    settings = dict(sorted(config.items().items()))
    lines = [f"{show_text(key)} = {show_text(_as_text(v))}" for key, v in settings.items()]
    notes = () if lines else ("No settings.",)
    return Result({"settings": settings}, lines, notes=notes)


def _get(ctx: Context, key: str, *, user: bool) -> Result:
    from muse.core.config import split_key

    split_key(key)
    value = ctx.config(here=not user).get_value(key)
    if value is None:
        raise MuseError(
            f"{show_text(key)} is not set.",
            hint=f"Set it with 'muse config {'--user ' if user else ''}{show_text(key)} <value>'.",
        )
    return Result({"key": key, "value": value}, show_text(_as_text(value)))


def _require_own(ctx: Context, key: str, *, user: bool) -> None:
    """Refuse to unset what the file at hand does not set."""
    from muse.core.config import Config

    path = ctx.config(here=False).user_path if user else ctx.repo().config.path
    # Read as if it were the user's: programs, too, can be removed from where they have no effect.
    if Config(None, user_path=path).get_value(key) is None:
        where = "your own settings" if user else "this repository"
        raise MuseError(
            f"{show_text(key)} is not set in {where}.",
            hint="'muse config' lists what is in force; --user is about your own settings.",
        )


def _change(ctx: Context, key: str, value: str | int | bool | None, *, user: bool) -> None:
    from muse.ops.settings import set_setting, set_user_setting

    if not user:
        if value is not None:
            _refuse_programs(key)
        set_setting(ctx.repo(), key, value)
        return
    path = ctx.config(here=False).user_path
    if path is None:
        raise UsageError("There is no home folder for --user.", hint="Set HOME.")
    set_user_setting(path, key, value)


def _refuse_programs(key: str) -> None:
    from muse.core.config import USER_ONLY

    if key in USER_ONLY or key == "safe.directories":
        raise UsageError(
            f"{key} is only read from your own settings, since a repository may come from others.",
            hint=f"Type 'muse config --user {key} <value>'.",
        )


def _typed(text: str) -> str | int | bool:
    """Return true, false and whole numbers as TOML has them, all else as text."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdecimal() and str(int(text)) == text else text


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
