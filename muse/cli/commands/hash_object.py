"""``muse hash-object``: the id that content has, or would have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from muse.cli.context import Context, Result
from muse.core.errors import IoFailedError, MuseError, PathNotFoundError, UsageError
from muse.core.paths import show_path
from muse.core.types import OBJECT_TYPES, ObjectType, RawId, frame_header, from_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.transaction import Transaction

SUMMARY = "compute the id of content, and store it when asked"
EXAMPLES = (
    ("muse hash-object song.wav", "the id that this file has in every repository"),
    ("echo hello | muse hash-object --stdin", "the id of what is piped in"),
    ("muse hash-object -w notes.txt", "store it, too"),
)
CHUNK_BYTES = 1 << 20
IN_MEMORY_BYTES = 16 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="file", help="files to hash")
    parser.add_argument("--stdin", action="store_true", help="hash standard input")
    parser.add_argument("-w", "--write", action="store_true", help="store the objects")
    parser.add_argument(
        "-t", "--type", choices=OBJECT_TYPES, default="blob", help="what it is; default: blob"
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Hash, and store when asked; needs a repository only for storing."""
    import contextlib

    if not args.paths and not args.stdin:
        raise UsageError("Nothing to hash.", hint="Name files, or use --stdin.")
    found: list[dict[str, str]] = []
    with contextlib.ExitStack() as stack:
        tx = stack.enter_context(ctx.repo().transaction("hash-object")) if args.write else None
        if args.stdin:
            source = stack.enter_context(_spool(ctx.stdin))
            found.append({"path": "-", "id": _hash(source, "standard input", args.type, tx=tx)})
        for path in args.paths:
            with _open(path, ctx) as source:
                oid = _hash(source, path, args.type, tx=tx)
            found.append({"path": show_path(path), "id": oid})
    return Result({"objects": found, "stored": args.write}, [item["id"] for item in found])


def _open(path: str, ctx: Context) -> BinaryIO:
    try:
        return open(ctx.cwd / path, "rb")
    except FileNotFoundError as error:
        raise PathNotFoundError(
            f"There is no file '{show_path(path)}'.", hint="Check the spelling."
        ) from error
    except IsADirectoryError as error:
        raise UsageError(
            f"'{show_path(path)}' is a folder.", hint="Name files: a folder has no id of its own."
        ) from error
    except OSError as error:
        raise IoFailedError("read a file", path=show_path(path), error=error) from error


def _spool(stream: BinaryIO) -> BinaryIO:
    """Return a copy of a stream whose length can be told; a big one is kept on disk."""
    import shutil
    import tempfile

    copy = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  # the caller closes it
    shutil.copyfileobj(stream, copy, CHUNK_BYTES)
    copy.seek(0)
    return copy  # type: ignore[return-value]  # it reads and seeks like any binary file


def _hash(source: BinaryIO, name: str, kind: ObjectType, *, tx: Transaction | None) -> str:
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    if kind != "blob":
        _check_format(source.read(), kind)
        source.seek(0)
    chunks = _iter_chunks(source, size, name)
    if tx is not None:
        return from_raw(tx.write_stream(kind, size, chunks))
    import hashlib

    digest = hashlib.sha256(frame_header(kind, size))
    for chunk in chunks:
        digest.update(chunk)
    return from_raw(RawId(digest.digest()))


def _iter_chunks(source: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    left = size
    while left:
        chunk = source.read(min(CHUNK_BYTES, left))
        if not chunk:
            break
        left -= len(chunk)
        yield chunk
    if left or source.read(1):
        raise MuseError(
            f"'{show_path(name)}' changed while it was read.",
            hint="Run the command again when nothing writes to it.",
        )


def _check_format(payload: bytes, kind: ObjectType) -> None:
    """Refuse to make an object that nothing could read.

    Raises:
        UsageError: ``payload`` is not of type ``kind``.
    """
    from muse.core.commits import parse_commit, parse_tag
    from muse.core.trees import parse_tree

    try:
        if kind == "tree":
            parse_tree(payload)
        elif kind == "commit":
            parse_commit(payload)
        else:
            parse_tag(payload)
    except ValueError as error:
        raise UsageError(
            f"That is not a {kind}: {error}.", hint="'muse cat-object -p' shows how one looks."
        ) from error
