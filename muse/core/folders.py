"""Which untracked files there are: folders, their listings, and the ignore rules on the way.

A folder is listed once and remembered with its stat key. Later one ``lstat`` tells whether names
came or went; a changed ignore file has the folders below it listed anew.

INVARIANT: every folder above a file whose content is known is in the table, even one that is
ignored and therefore never listed (its value is None). So a folder that was replaced by a link is
always noticed, and the files that seem to be there, behind the link, are not taken for ours.

A folder that we may not list hides only what is not tracked: tracked files are looked at one by
one, by name, and stop everything when that is refused. So it is named, and passed by.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from muse.core.errors import IoFailedError
from muse.core.file_content import is_settled
from muse.core.ignore import (
    EXCLUDE,
    IGNORE_FILES,
    Chain,
    IgnoreRules,
    is_ignored_by,
    read_ignore_file,
)
from muse.core.row_compare import find_changed_rows
from muse.core.scan import Listing, compare_keys, find_key, is_folder_key, iter_parents, list_folder
from muse.core.stat_cache import UNKNOWN, StatCache

# A set of all tracked paths is worth its making from this many listings on, or this many files
# for each listing in a large tree.
_MANY = 64
_FILES_EACH = 64
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM})


class Folders:
    """The folders of a working tree.

    Args:
        root: The working tree's folder.
        cache: Where folders, untracked names and ignore files are remembered.
        touched: Receives each path that becomes untracked, or stops being so.
    """

    def __init__(self, root: Path, cache: StatCache, touched: set[bytes]) -> None:
        self.listed = 0
        self.rules_changes = 0
        self.unreadable: set[bytes] = set()
        self._forgotten: set[bytes] = set()
        self._root = os.fsencode(root)
        self._cache = cache
        self._touched = touched
        self._path = root
        self.rules = IgnoreRules(root, gitignore=cache.gitignore)

    def change_rules(self) -> None:
        """Begin anew with other rules; the next full refresh lists everything."""
        self.rules = IgnoreRules(self._path, gitignore=self._cache.gitignore)
        self.forget_below(b"")

    # -- asking ------------------------------------------------------------------------------

    def is_listed(self, folder: bytes) -> bool:
        """Tell whether untracked files in a folder are shown: it is known, and not ignored."""
        return self._cache.folders.get(folder) is not None and not self.is_nested(folder)

    def is_nested(self, folder: bytes) -> bool:
        """Tell whether a folder is that of another repository."""
        return b"" in self._cache.untracked.get(folder, ())

    # -- refreshing --------------------------------------------------------------------------

    def refresh_below(self, top: bytes) -> set[bytes]:
        """Bring a folder and all below it up to date.

        Args:
            top: A folder that exists and is not ignored; ``b""`` is the whole tree.

        Returns:
            Folders that were known and are there no more; what is below them is gone.

        Raises:
            IoFailedError: Something cannot be listed or looked at.
        """
        changed, lost = self._check_keys(top)
        for folder in lost:
            self.drop(folder)
        pending = self._check_ignore_files(top)
        if changed:
            pending |= changed & self._cache.folders.keys()
        if not self._cache.has_folder(top):
            pending.add(top)
        return lost | self.list_folders(pending)

    def _below(self, top: bytes) -> Sequence[bytes]:
        if not top:
            return list(self._cache.folders)
        prefix = top + b"/"
        return [f for f in self._cache.folders if f == top or f.startswith(prefix)]

    def _check_keys(self, top: bytes) -> tuple[set[bytes], set[bytes]]:
        """Return the folders to list, and those that are gone."""
        packed = None if top else self._cache.packed_folders
        known = self._below(top) if packed is None else packed.paths
        prefix = self._root + b"/"
        try:
            if packed is not None:
                differing, missing = find_changed_rows(self._root, packed, range(len(packed)))
            else:
                expected = map(self._cache.folders.__getitem__, known)
                paths = map(prefix.__add__, known)
                differing, missing = compare_keys(paths, expected, len(known))
        except IoFailedError as error:
            if error.errno not in _REFUSED or not self._drop_hidden(known):
                raise
            return self._check_keys(top)
        lost = {known[i] for i in missing}
        changed: set[bytes] = set()
        for folder in (known[i] for i in differing):
            if not is_folder_key(find_key(self._root, folder)):
                lost.add(folder)
            elif self._cache.folders[folder] is not None:
                changed.add(folder)
        return changed, lost

    def _drop_hidden(self, known: Iterable[bytes]) -> bool:
        """Forget the folders in a folder that may not be entered any more; tell whether any is."""
        hidden: set[bytes] = set()
        for folder in known:
            try:
                find_key(self._root, folder)
            except IoFailedError as error:
                if error.errno in _REFUSED:
                    hidden.add(folder)
        for folder in hidden:
            self.drop(folder)
        return bool(hidden)

    def _check_ignore_files(self, top: bytes) -> set[bytes]:
        """Return the folders whose rules changed, with all below them forgotten."""
        if not top and EXCLUDE not in self._cache.ignore_files:
            self._cache.ignore_files[EXCLUDE] = (UNKNOWN, b"")
        prefix = top + b"/" if top else b""
        found: set[bytes] = set()
        for path in [p for p in self._cache.ignore_files if p.startswith(prefix)]:
            folder = b"" if path == EXCLUDE else path.rpartition(b"/")[0]
            if self.check_ignore_file(path) and folder in self._cache.folders:
                found.add(folder)
        # What lies below another one is listed with it, if it is still to be listed at all.
        found = {f for f in found if not f or not (found & {b"", *iter_parents(f)})}
        for folder in found:
            self.forget_below(folder)
        return found

    def check_ignore_file(self, path: bytes) -> bool:
        """Read an ignore file anew if it may have changed; tell whether its content did."""
        key, digest = self._cache.ignore_files.get(path, (UNKNOWN, b""))
        clock_ns = time.time_ns()
        now = find_key(self._root, path)
        if now == key:
            return False
        if now is None and path != EXCLUDE:
            return self._cache.ignore_files.pop(path, None) is not None
        data = read_ignore_file(self._root, path)
        new_digest = hashlib.sha256(data).digest() if data else b""
        settled = now is not None and is_settled(now, clock_ns)
        self._cache.ignore_files[path] = (now if now and settled else UNKNOWN, new_digest)
        return new_digest != digest

    def forget_below(self, folder: bytes) -> None:
        """Forget the rules and listings of a folder and of all below it, to list them anew."""
        self.rules_changes += 1
        self._forgotten.update(self._below(folder))
        self._forget_below(folder)

    def drop(self, folder: bytes) -> None:
        """Forget a folder that is gone or not looked into, and all below it."""
        self._forget_below(folder)
        prefix = folder + b"/"
        for path in [p for p in self._cache.ignore_files if p.startswith(prefix)]:
            del self._cache.ignore_files[path]

    def ignore(self, folder: bytes) -> None:
        """Forget a folder that is not looked into, but for its being one."""
        if folder in self._cache.folders:
            self.drop(folder)
        self._hold(folder)

    def affected_by(self, changed: Iterable[bytes], left: Iterable[bytes]) -> set[bytes]:
        """Return the folders to list after HEAD's tree moved; they count as unknown until then.

        Args:
            changed: The paths that differ between the two trees, and any others.
            left: Those of them that the new tree does not have: they may be untracked now.
        """
        found = {path.rpartition(b"/")[0] for path in left}
        if any(b"" in names for names in self._cache.untracked.values()):
            found |= {p for path in changed for p in iter_parents(path) if self.is_nested(p)}
        # A folder without tracked files may count as another repository now.
        above = {parent for path in left for parent in iter_parents(path)}
        found |= {parent for parent in above if not self._cache.files.has_base_below(parent)}
        found = {f for f in found if self._cache.folders.get(f) is not None}
        self._cache.folders.update(dict.fromkeys(found, UNKNOWN))
        return found

    def _forget_below(self, top: bytes) -> None:
        self.rules.forget(top)
        for folder in self._below(top):
            self.unreadable.discard(folder)
            del self._cache.folders[folder]
            self._set_untracked(folder, set())
        loose = self._cache.files.loose
        prefix = top + b"/" if top else b""
        # Without their folders in the table nothing may be known of them: they are looked at anew.
        for path in [path for path in loose if path.startswith(prefix)]:
            del loose[path]
            self._touched.add(path)

    def _hold(self, folder: bytes) -> None:
        """Keep an ignored folder in the table, if there are known files in it."""
        files = self._cache.files
        above = {p for row in files.below(folder) for p in iter_parents(files.paths[row])}
        for parent in above - self._cache.folders.keys():
            if is_folder_key(find_key(self._root, parent)):
                self._cache.folders[parent] = None
            else:
                self._forgotten.add(parent)

    # -- listing -----------------------------------------------------------------------------

    def list_folders(self, folders: set[bytes]) -> set[bytes]:
        """List folders, and whatever unknown folders are found in them.

        Returns:
            Folders that were known and are there no more.

        Raises:
            IoFailedError: One cannot be listed.
        """
        cache = self._cache
        if not folders and not self._forgotten:
            return set()
        # Parents first: what they say of a folder decides whether it is listed at all.
        pending = sorted(folders, reverse=True)
        wanted = {folder for folder in folders if cache.folders.get(folder) is None}
        done: set[bytes] = set()
        is_tracked: Callable[[bytes], bool] = self._has_base
        many = max(_MANY, len(cache.files) // _FILES_EACH)
        while pending:
            folder = pending.pop()
            if folder in done or not (folder in wanted or cache.folders.get(folder)):
                continue
            done.add(folder)
            if len(done) + len(pending) > many and is_tracked == self._has_base:
                is_tracked = cache.files.base_paths().__contains__
            self.unreadable.discard(folder)
            try:
                listing = list_folder(self._root, folder)
            except IoFailedError as error:
                if not folder or error.errno not in _REFUSED:
                    raise
                self._pass_by(folder)
                continue
            if listing is None:
                # Gone since it was seen; the folder above has changed with it.
                if folder in cache.folders:
                    self.forget_below(folder)
                continue
            if listing.is_repository and not cache.files.has_base_below(folder):
                self.ignore(folder)
                self._set_untracked(folder, {b""})
            else:
                found = self._take(folder, listing, is_tracked)
                wanted.update(found)
                pending += found
            cache.folders[folder] = listing.key if listing.settled else UNKNOWN
        self.listed += len(done)
        lost = self._forgotten - cache.folders.keys()
        self._forgotten.clear()
        return lost

    def _pass_by(self, folder: bytes) -> None:
        """Note that a folder cannot be listed; the next look tries again."""
        self._forget_below(folder)
        self.unreadable.add(folder)
        self._cache.folders[folder] = UNKNOWN

    def _has_base(self, path: bytes) -> bool:
        return self._cache.files.base_of(path) is not None

    def _take(
        self, folder: bytes, listing: Listing, is_tracked: Callable[[bytes], bool]
    ) -> list[bytes]:
        """Note what a folder holds; return the folders in it that are to be listed."""
        cache = self._cache
        prefix = folder + b"/" if folder else b""
        self._note_ignore_files(folder, listing)
        chain = self.rules.chain(folder, names=listing.files)
        untracked = {
            name
            for name in listing.files
            if not is_tracked(prefix + name) and not _is_ignored(chain, prefix + name)
        }
        self._set_untracked(folder, untracked)
        to_list: list[bytes] = []
        for name in listing.folders:
            path = prefix + name
            if chain and is_ignored_by(chain, path, is_folder=True):
                self.ignore(path)
            elif cache.folders.get(path) is None:
                to_list.append(path)
        return to_list

    def _note_ignore_files(self, folder: bytes, listing: Listing) -> None:
        prefix = folder + b"/" if folder else b""
        here = IGNORE_FILES.intersection(listing.files)
        changed = False
        for name in IGNORE_FILES:
            path = prefix + name
            if name in here or path in self._cache.ignore_files:
                changed |= self.check_ignore_file(path)
        if changed:
            self.forget_below(folder)

    # -- single names ------------------------------------------------------------------------

    def add_file(self, path: bytes) -> None:
        """Note an untracked file that is in a listed folder, unless it is ignored."""
        folder, _, name = path.rpartition(b"/")
        if _is_ignored(self.rules.chain(folder), path):
            self.remove_file(path)
            return
        self._touched.add(path)
        self._cache.untracked.setdefault(folder, set()).add(name)

    def remove_file(self, path: bytes) -> None:
        """Note that a file is gone, or tracked, or ignored."""
        folder, _, name = path.rpartition(b"/")
        names = self._cache.untracked.get(folder)
        if names and name in names:
            self._touched.add(path)
            names.discard(name)
            if not names:
                del self._cache.untracked[folder]

    def note_parents(self, path: bytes) -> None:
        """Put the folders above a file into the table; see the module's invariant."""
        for parent in iter_parents(path):
            self._cache.folders.setdefault(parent, None)

    def _set_untracked(self, folder: bytes, names: set[bytes]) -> None:
        before = self._cache.untracked.get(folder, set())
        if names == before:
            return
        prefix = folder + b"/" if folder else b""
        self._touched.update(prefix + name for name in names ^ before)
        if names:
            self._cache.untracked[folder] = names
        else:
            del self._cache.untracked[folder]


def _is_ignored(chain: Chain, path: bytes) -> bool:
    return bool(chain) and is_ignored_by(chain, path, is_folder=False)
