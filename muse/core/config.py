"""Configuration: ``.muse/config.toml``, and under it the user's own file.

Keys are dotted, ``user.name`` or ``remote.origin.url``. Values of the repository win over the
user's, except those that name programs to run, which are never read from the repository (G16).
Files are read with tomllib and written with tomlkit, which keeps comments and order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from muse.core.errors import CorruptFileError, UsageError
from muse.core.io import read_bytes
from muse.core.plain_files import RECORD_BYTES

# What a repository may not decide, since whoever made the repository would run programs here.
USER_ONLY: Final = frozenset(
    {"core.editor", "core.pager", "core.ssh", "core.sshCommand", "core.hooks"}
)

Value = str | int | float | bool


class Config:
    """The settings of one repository, read once.

    Args:
        path: The repository's file, which `set_value` writes; None outside a repository.
        user_path: The user's file, or None.
    """

    def __init__(self, path: Path | None, *, user_path: Path | None = None) -> None:
        self.path = path
        self.user_path = user_path
        self._local: Mapping[str, object] | None = None
        self._user: Mapping[str, object] | None = None

    @property
    def local(self) -> Mapping[str, object]:
        """The repository's own tables."""
        if self._local is None:
            self._local = read_tables(self.path)
        return self._local

    @property
    def user(self) -> Mapping[str, object]:
        """The user's tables."""
        if self._user is None:
            self._user = read_tables(self.user_path, follow=True)
        return self._user

    def get_value(self, key: str) -> Value | None:
        """Return a setting in its own type; None when it is not set.

        Raises:
            CorruptFileError: A file is not valid TOML.
        """
        tables = (self.user,) if key in USER_ONLY else (self.local, self.user)
        for table in tables:
            value = _find(table, key)
            if isinstance(value, (str, int, float, bool)):
                return value
        return None

    def get(self, key: str) -> str | None:
        """Return a setting as text; None when it is not set."""
        value = self.get_value(key)
        if isinstance(value, bool):
            return "true" if value else "false"
        return None if value is None else str(value)

    def get_bool(self, key: str, *, default: bool) -> bool:
        """Return a yes/no setting.

        Raises:
            UsageError: It is set to something else.
        """
        value = self.get_value(key)
        if value is None:
            return default
        text = str(value).lower()
        if text in {"true", "yes", "on", "1"}:
            return True
        if text in {"false", "no", "off", "0"}:
            return False
        raise UsageError(
            f"The setting {key} is '{value}', which is neither true nor false.",
            hint=f"Set it with 'muse config {key} true' or 'false'.",
        )

    def get_int(self, key: str, *, default: int) -> int:
        """Return a whole number.

        Raises:
            UsageError: It is set to something else.
        """
        value = self.get_value(key)
        try:
            return default if value is None else int(value)
        except ValueError as error:
            raise UsageError(
                f"The setting {key} is '{value}', which is not a whole number.",
                hint=f"Set it with 'muse config {key} <number>'.",
            ) from error

    def sections(self, name: str) -> list[str]:
        """Return the names below a table: ``sections("remote")`` → ``["origin", …]``."""
        found: dict[str, None] = {}
        for tables in (self.local, self.user):
            table = tables.get(name)
            if isinstance(table, Mapping):
                found.update((k, None) for k, v in table.items() if isinstance(v, Mapping))
        return list(found)

    def items(self) -> dict[str, Value]:
        """Return every setting that is in force, by dotted key."""
        merged = dict(_flatten(self.user))
        merged.update((k, v) for k, v in _flatten(self.local).items() if k not in USER_ONLY)
        return merged


def read_tables(path: Path | None, *, follow: bool = False) -> Mapping[str, object]:
    """Read a TOML file; empty when there is none.

    Args:
        path: The file.
        follow: Follow a link: for the user's own file, which may be kept elsewhere.

    Raises:
        CorruptFileError: It is not valid TOML.
    """
    data = None
    if path is not None:
        doing = "read the configuration"
        data = read_bytes(path, doing=doing, limit=RECORD_BYTES, follow=follow)
    if not data or all(line[:1] in {b"", b"#"} for line in data.split(b"\n")):
        return {}
    import tomllib  # start-up time: a repository without settings needs no parser

    try:
        return tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise CorruptFileError(
            os.fspath(path or ""),
            reason=f"it is not valid TOML ({error})",
            hint="Correct the line that is named, in any editor.",
        ) from error


def set_value(data: bytes, key: str, value: Value | None) -> bytes:
    """Return a TOML file's text with one key set, or removed when ``value`` is None.

    Args:
        data: The file's present bytes.
        key: Dotted; a part that holds a dot may be quoted, ``branch."v1.0".remote``.
        value: The new value.

    Raises:
        CorruptFileError: ``data`` is not valid TOML.
        UsageError: ``key`` names no setting, or runs through one.
    """
    import tomlkit  # start-up time: only writing needs it
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(data.decode("utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise CorruptFileError(
            "config.toml", reason=str(error), hint="Correct that line in any editor."
        ) from error
    *parents, name = split_key(key)
    table, way = document, []
    for parent in parents:
        if parent not in table:
            if value is None:
                return data
            table[parent] = tomlkit.table()
        below = table[parent]
        if not isinstance(below, dict):
            raise UsageError(f"'{key}' runs through the setting '{parent}'.", hint="Rename it.")
        way.append((table, parent))
        table = below  # type: ignore[assignment]  # tomlkit's tables and documents act alike
    if value is not None:
        table[name] = value
    elif name in table:
        del table[name]
        for above, parent in reversed(way):
            # What somebody wrote there stays, were it only a comment.
            if above[parent] or "#" in above[parent].as_string():
                break
            del above[parent]
    return tomlkit.dumps(document).encode("utf-8")


def split_key(key: str) -> list[str]:
    """Split a dotted key; a quoted part may hold dots.

    Raises:
        UsageError: It has fewer than two parts, or an empty one.
    """
    parts: list[str] = []
    rest = key
    while rest:
        if rest.startswith('"') and '"' in rest[1:]:
            part, rest = rest[1:].split('"', 1)
            rest = rest.removeprefix(".")
        else:
            part, _, rest = rest.partition(".")
        parts.append(part)
    if len(parts) < 2 or not all(parts):
        raise UsageError(
            f"'{key}' is not the name of a setting.",
            hint="Settings are written section.name, as in 'user.name'.",
        )
    return parts


def _find(table: Mapping[str, object], key: str) -> object:
    value: object = table
    for part in split_key(key):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for name, value in table.items():
        key = prefix + (f'"{name}"' if "." in name else name)
        if isinstance(value, Mapping):
            flat.update(_flatten(value, key + "."))
        elif isinstance(value, (str, int, float, bool)):
            flat[key] = value
    return flat
