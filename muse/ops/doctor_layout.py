"""What is wrong with ``.muse`` beside objects and names: what stands in the way, and what is gone.

A file where a folder belongs stops every command that writes. A log that is gone takes only the
way back with it, and is told of as that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from muse.core.checkout_record import checkout_record_path, is_readable_record
from muse.core.commits import ObjectFormatError, parse_commit
from muse.core.errors import MuseError
from muse.core.io import make_dirs
from muse.core.journal import make_folder, wal_path
from muse.core.object_store import ObjectStore
from muse.core.operations import operations_path, read_operations
from muse.core.paths import journal_dir, lock_path, muse_dir, show_path, show_text
from muse.core.reflog import read_reflog, reflog_path
from muse.core.refs import HEADS, short_name
from muse.core.repo import Repository
from muse.core.types import RawId, from_raw
from muse.ops.doctor_quarantine import Quarantine
from muse.ops.doctor_remedy import Remedy

# Where writing commands expect a folder, or make one. The outer ones come first.
_FOLDERS: Final = (
    "objects", "objects/sha256", "objects/pack", "refs", "refs/heads", "refs/tags", "logs",
    "logs/refs", "journal", "code", "tmp", "cache", "health", "trash", "jobs", "drafts",
)  # fmt: skip
_SHOWN: Final = 5


def find_misplaced(repo: Repository, quarantine: Quarantine) -> Iterator[Remedy]:
    """Yield a remedy for each file where a folder belongs, and for a lock that is no file."""
    for name in _FOLDERS:
        path = muse_dir(repo.root) / name
        if (kind := _kind(path)) in {"", "a folder", "a link"}:
            continue

        def tidy(path: Path = path) -> None:
            quarantine.move(path)
            if path == journal_dir(repo.root):
                make_folder(repo.root)
            else:
                make_dirs(path, durable=True)

        problem = f"{show_path(os.fspath(path))} is {kind}, where commands need a folder."
        action = "Move it to the quarantine, and make the folder."
        yield Remedy(problem, action, tidy=tidy, first=True)
    path = lock_path(repo.root)
    if (kind := _kind(path)) not in {"", "a file"}:
        # Nobody holds a lock on it, since nobody could open it to do so.
        problem = f"{show_path(os.fspath(path))} is {kind}, so that no command can lock it."
        action = "Move it to the quarantine; the next command makes a file."
        yield Remedy(problem, action, tidy=lambda: quarantine.move(path), first=True, unlocked=True)


def find_blocked_journal(path: Path, quarantine: Quarantine) -> Remedy | None:
    """Return a remedy when no file stands in the journal's place, so that nobody can open anything.

    Args:
        path: What could not be read, as the error names it.
        quarantine: Where it goes.
    """
    if path != wal_path(path.parent.parent.parent) or (kind := _kind(path)) in {"", "a file"}:
        return None
    problem = f"{show_path(os.fspath(path))} is {kind}, where commands need the journal's file."
    action = (
        "Move it to the quarantine. Commands that finished have written what they reported; "
        "only what a crash cut short stands in the journal alone."
    )
    return Remedy(problem, action, tidy=lambda: quarantine.move(path), blocks=True)


def _kind(path: Path) -> str:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return ""
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISLNK(mode):
        return "a link"
    return "a file" if stat.S_ISREG(mode) else "a pipe or a device"


def check_checkout_record(repo: Repository, quarantine: Quarantine) -> Iterator[Remedy]:
    """Yield a remedy for a record of an interrupted checkout that nobody can read."""
    path = checkout_record_path(repo.root)
    if not path.exists() or is_readable_record(repo.root):
        return
    problem = (
        f"{show_path(os.fspath(path))} is damaged: it says which switch was under way, if one was."
    )
    action = (
        "Move it to the quarantine; 'muse status' then shows as modified what that switch had "
        "written, and no file of yours changes."
    )
    yield Remedy(problem, action, tidy=lambda: quarantine.move(path))


def find_lost_ways(repo: Repository) -> Iterator[Remedy]:
    """Yield a note for each log of which nothing is left though there is a branch to go back on."""
    branches = []
    try:
        names = list(repo.refs.iter_names(HEADS))
    except MuseError:
        return
    for name in names:
        try:
            if repo.refs.read(name) is None:
                continue
            branches.append(name)
            # One that cannot be read is told of as that.
            if read_reflog(repo.root, name):
                continue
        except MuseError:
            continue
        if not _has_bytes(reflog_path(repo.root, name)):
            shown = show_text(short_name(name))
            problem = f"{shown} has no reflog: where it was before is not known."
            yield Remedy(problem, way_out="It begins anew when the branch next moves.")
    path = operations_path(repo.root)
    try:
        known = _has_bytes(path) or bool(read_operations(repo.root))
    except MuseError:
        return
    if branches and not known:
        problem = f"The operation log ({show_path(os.fspath(path))}) is empty."
        yield Remedy(problem, way_out="'muse undo' can take back only what is done from now on.")


def _has_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def find_nameless(store: ObjectStore) -> Iterator[Remedy]:
    """Yield a note with the ends of the history that is stored and that no name leads to.

    Asked when no ref leads to any commit: then refs and logs may be gone together, and only a
    person knows what they were called.
    """
    tips = _tips(store)
    if not tips:
        return
    shown = sorted(tips.items(), key=lambda tip: tip[1][0], reverse=True)[:_SHOWN]
    names = "; ".join(f"{from_raw(raw)} '{show_text(title)}'" for raw, (_, title) in shown)
    more = f" and {len(tips) - len(shown)} more" if len(tips) > len(shown) else ""
    problem = f"No branch leads to any commit, and history is stored that ends in {names}{more}."
    newest = from_raw(shown[0][0])
    way_out = f"If a branch was lost: 'muse branch -f <name> {newest}' names it again."
    yield Remedy(problem, way_out=way_out)


def _tips(store: ObjectStore) -> dict[RawId, tuple[int, str]]:
    """Return time and first line of each stored commit that is no other's parent."""
    tips: dict[RawId, tuple[int, str]] = {}
    parents: set[RawId] = set()
    ids = set(store.iter_loose())
    for pack in store.packs():
        ids.update(pack.ids())
    for raw in ids:
        try:
            if store.stat(raw)[0] != "commit":
                continue
            commit = parse_commit(store.read(raw)[1])
        except (MuseError, ObjectFormatError):
            continue
        parents.update(commit.parents)
        title = commit.text.partition("\n")[0][:60]
        tips[raw] = (commit.committer.time_s, title)
    return {raw: tip for raw, tip in tips.items() if raw not in parents}
