"""Change settings, in the repository's file or the user's."""

from __future__ import annotations

from pathlib import Path

from muse.core import durability
from muse.core.config import Value, set_value
from muse.core.io import read_bytes, write_bytes_atomic
from muse.core.plain_files import RECORD_BYTES
from muse.core.repo import Repository


def set_setting(repo: Repository, key: str, value: Value | None) -> None:
    """Set or remove (None) one of the repository's settings; comments and order are kept.

    Raises:
        UsageError: ``key`` names no setting, or it cannot have this value.
        CorruptFileError: The file is not valid TOML; it is left as it is.
    """
    path = repo.config.path
    assert path is not None
    if key == durability.KEY:
        durability.check_level(None if value is None else str(value))
    # At the level that needs no setting: this may be the command that mends that one.
    with repo.transaction("config", summary=f"config {key}", level=durability.FULL) as tx:
        data = read_bytes(path, doing="read the configuration", limit=RECORD_BYTES) or b""
        tx.write_file(path, set_value(data, key, value))
    repo.config = type(repo.config)(path, user_path=repo.config.user_path)


def set_user_setting(path: Path, key: str, value: Value | None) -> None:
    """Set or remove one setting in the user's own file; see `set_setting`."""
    doing = "read your configuration"
    data = read_bytes(path, doing=doing, limit=RECORD_BYTES, follow=True) or b""
    write_bytes_atomic(path, set_value(data, key, value), durable=True)
