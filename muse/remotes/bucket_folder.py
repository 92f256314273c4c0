"""A folder as a bucket: on this machine, on a mounted disk, or what a cloud drive synchronises.

obstore has a folder store as well; it neither syncs nor replaces on a condition, so this one is
made of the same parts as a repository: nameless files, synced before they get a name, and a flock
around compare-and-swap, which dies with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from muse.core import temps
from muse.core.errors import IoFailedError, RemoteError
from muse.core.io import NewFile, make_dirs, remove_file, sync_dir
from muse.core.lock import WriteLock
from muse.core.sweep import sweep_folder
from muse.remotes.bucket import Listed, Stored, Version, gone_error, too_large_error

_CHUNK: Final = 1 << 20


class FolderBucket:
    """See `Bucket`.

    Args:
        folder: The folder; made with the first write.
        shown: How to name it in messages.
    """

    def __init__(self, folder: Path, *, shown: str) -> None:
        self._folder = folder
        self.shown = shown
        self.fingerprint = f"store {folder}"

    def get(self, name: str, *, limit: int) -> Stored | None:
        """See `Bucket.get`."""
        with self._told():
            try:
                with open(self._folder / name, "rb") as file:
                    if os.fstat(file.fileno()).st_size > limit:
                        raise too_large_error(self.shown, name, limit)
                    data = file.read()
            except (FileNotFoundError, NotADirectoryError):
                self._check_parent()
                return None
        return Stored(data, Version(hashlib.sha256(data).hexdigest()))

    def read(self, name: str, start: int, end: int) -> bytes:
        """See `Bucket.read`."""
        return b"".join(self.stream(name, start, end))

    def stream(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """See `Bucket.stream`."""
        with self._told():
            try:
                file = open(self._folder / name, "rb", buffering=0)  # noqa: SIM115  # closed below
            except FileNotFoundError:
                raise gone_error(self.shown, name) from None
            with file:
                while start < end:
                    block = os.pread(file.fileno(), min(_CHUNK, end - start), start)
                    if not block:
                        raise RemoteError(
                            f"{self.shown}: '{name}' is shorter than it should be.",
                            hint="It was cut after it was written: check that disk.",
                        )
                    start += len(block)
                    yield block

    def create(self, name: str, parts: Iterable[bytes], *, size: int) -> None:
        """See `Bucket.create`."""
        del size
        with self._told():
            path = self._folder / name
            with self._new_file(path) as new:
                for part in parts:
                    new.write(part)
                # A name must never stand for bytes that a power cut can still take.
                new.sync()
                new.publish(path)
            # The list of packs will name it next, and must not outlive it.
            sync_dir(path.parent)

    def swap(self, name: str, data: bytes, version: Version | None) -> Version | None:
        """See `Bucket.swap`."""
        with self._told():
            path = self._folder / name
            with self._new_file(path) as new:
                new.write(data)
                new.sync()
                with WriteLock(self._folder, command="push", path=self._folder / "lock"):
                    there = self.get(name, limit=1 << 62)
                    if (there.version if there else None) != version:
                        return None
                    new.publish(path, replace=True)
                    # Inside the lock: whoever reads the new one may build on it.
                    sync_dir(path.parent)
        return Version(hashlib.sha256(data).hexdigest())

    def stat(self, name: str) -> Listed | None:
        """See `Bucket.stat`."""
        with self._told():
            try:
                found = os.stat(self._folder / name)
            except FileNotFoundError:
                return None
        return Listed(name, found.st_size, found.st_mtime)

    def list(self, prefix: str) -> Iterator[Listed]:
        """See `Bucket.list`."""
        with self._told():
            folder = self._folder / prefix
            # Only gc lists; so what writers that were killed have left goes with it (G6).
            for each in {folder, self._folder}:
                sweep_folder(os.fspath(each), label=each.name, families=(temps.OBJECT,))
            names = sorted(os.listdir(folder)) if folder.is_dir() else []
        for name in names:
            found = self.stat(f"{prefix}{name}")
            if found is not None and not name.startswith("."):
                yield found

    def remove(self, names: Sequence[str]) -> None:
        """See `Bucket.remove`."""
        with self._told():
            for name in names:
                # Not synced: a name that a power cut brings back is removed by the next gc.
                remove_file(self._folder / name)

    def _new_file(self, path: Path) -> NewFile:
        if not path.parent.is_dir():
            make_dirs(path.parent, durable=True)
        return NewFile(path.parent, family=temps.OBJECT)

    def _check_parent(self) -> None:
        """Tell a store that is not there yet from a disk that is not mounted."""
        if not self._folder.is_dir() and not self._folder.parent.is_dir():
            raise RemoteError(
                f"{self.shown}: its folder's parent does not exist.",
                hint="Check the address; a disk may not be mounted.",
            )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except IoFailedError as error:
            raise RemoteError(f"{self.shown}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise RemoteError(
                f"{self.shown}: {error.strerror or error}.", hint="Check that it can be reached."
            ) from error
