"""Random edits of a working tree, for tests that compare the result with git or with ourselves."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from muse.core.commits import Signature
from muse.core.errors import MuseError, NothingToCommitError
from muse.core.repo import Repository, open_repo
from muse.core.status import Status
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.init import init
from muse.ops.reset import reset
from muse.ops.status import open_engine

ADA = Signature("Ada", "ada@example.com", 1_700_000_000, "+0100")
NAMES = [b"a", b"b", b"c d", b"\xff\n", b"-n"]
CONTENTS = [b"", b"one\n", b"two\n", b"three\n"]
RULES = [b"", b"a\n", b"*\n!b\n", b"a/\n", b"/b\n", b"a/b\n", b"*\n!*/\n!a\n", b"**/b\n!/a/b\n"]

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
folders = st.one_of(st.just(b""), paths)


class Edit(NamedTuple):
    """One thing that a user does.

    Attributes:
        verb: What.
        path: To which path.
        other: A second path, a content, a link's target, or rules.
    """

    verb: str
    path: bytes
    other: bytes = b""


edits = st.one_of(
    st.builds(Edit, st.just("write"), paths, st.sampled_from(CONTENTS)),
    st.builds(Edit, st.just("write"), paths, st.sampled_from(CONTENTS)),
    st.builds(Edit, st.just("delete"), paths),
    st.builds(Edit, st.just("rename"), paths, paths),
    st.builds(Edit, st.just("link"), paths, st.sampled_from([b"a", b"b/a", b"gone"])),
    st.builds(Edit, st.just("chmod"), paths),
    st.builds(Edit, st.just("sneak"), paths),
    st.builds(Edit, st.just("gitignore"), folders, st.sampled_from(RULES)),
)
stage_edits = st.one_of(
    st.builds(Edit, st.just("add"), folders),
    st.builds(Edit, st.just("add"), st.just(b"")),
    st.builds(Edit, st.just("update"), st.just(b"")),
    st.builds(Edit, st.just("reset"), folders),
    st.builds(Edit, st.just("commit"), st.just(b"")),
)
histories = st.lists(st.one_of(edits, edits, stage_edits), max_size=25)


def make_repo(root: Path) -> Repository:
    """Create a repository."""
    init(root)
    return open_repo(root)


def full(root: Path, path: bytes) -> bytes:
    """Return a repository path in the file system."""
    return os.path.join(os.fsencode(root), path)


def behind_link(root: Path, path: bytes) -> bool:
    """Tell whether a folder on the way to a path is a link."""
    at = path.find(b"/")
    while at >= 0:
        if os.path.islink(full(root, path[:at])):
            return True
        at = path.find(b"/", at + 1)
    return False


def remove(path: bytes) -> None:
    """Remove whatever there is."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def make_way(root: Path, path: bytes) -> None:
    """Make the folders above a path, in place of files and links that stand there."""
    for at in [i for i, char in enumerate(path) if char == ord("/")]:
        folder = full(root, path[:at])
        if os.path.islink(folder) or not os.path.isdir(folder):
            remove(folder)
            os.mkdir(folder)


def edit_files(root: Path, edit: Edit) -> set[bytes]:
    """Do what an edit says to files; return the paths that a watcher would name."""
    return _edit_files(root, edit) | break_circles(root)


def break_circles(root: Path) -> set[bytes]:
    """Remove links that lead round in a circle: git passes over what is behind them."""
    removed: set[bytes] = set()
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        folders[:] = [name for name in folders if name not in {b".git", b".muse"}]
        for path in [folder + b"/" + name for name in (*folders, *files)]:
            try:
                os.stat(path)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    os.unlink(path)
                    removed.add(path[len(base) + 1 :])
    return removed


def _edit_files(root: Path, edit: Edit) -> set[bytes]:
    verb, path, other = edit
    target = full(root, path)
    touched = {path} | {path[:i] for i, char in enumerate(path) if char == ord("/")}
    if verb == "write":
        make_way(root, path)
        if os.path.isdir(target) or os.path.islink(target):
            remove(target)
        Path(os.fsdecode(target)).write_bytes(other)
    elif verb == "delete":
        if not behind_link(root, path):
            remove(target)
    elif verb == "rename":
        below = other.startswith(path + b"/") or path.startswith(other + b"/") or path == other
        if below or behind_link(root, path) or not os.path.lexists(target):
            return set()
        make_way(root, other)
        if not os.path.lexists(target):
            return {other, *touched}
        remove(full(root, other))
        os.rename(target, full(root, other))
        touched |= {other} | {other[:i] for i, char in enumerate(other) if char == ord("/")}
    elif verb == "link":
        make_way(root, path)
        remove(target)
        os.symlink(other, target)
    elif verb == "chmod":
        if not os.path.isfile(target) or os.path.islink(target) or behind_link(root, path):
            return set()
        os.chmod(target, os.stat(target).st_mode ^ 0o111)
    elif verb == "sneak":
        # Same size, and the old mtime put back.
        if not os.path.isfile(target) or os.path.islink(target) or behind_link(root, path):
            return set()
        before = os.stat(target)
        data = Path(os.fsdecode(target)).read_bytes()
        Path(os.fsdecode(target)).write_bytes(data[::-1])
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif verb == "gitignore":
        folder = full(root, path)
        if not os.path.isdir(folder) or os.path.islink(folder) or behind_link(root, path):
            return set()
        name = path + b"/.gitignore" if path else b".gitignore"
        remove(full(root, name))
        if other:
            Path(os.fsdecode(full(root, name))).write_bytes(other)
        return {name}
    return touched


def edit_stage(repo: Repository, edit: Edit) -> bool:
    """Do what an edit says to the stage or HEAD; tell whether it was accepted."""
    try:
        if edit.verb == "add":
            add(repo, [edit.path])
        elif edit.verb == "update":
            add(repo, [b""], update=True)
        elif edit.verb == "reset":
            reset(repo, [edit.path])
        else:
            commit(repo, message="m", committer=ADA)
    except NothingToCommitError:
        return False
    except MuseError:
        return False
    return True


def fresh_status(repo: Repository) -> Status:
    """Look at everything with a new engine."""
    return open_engine(repo).refresh_all()


def porcelain(status: Status) -> set[tuple[str, bytes]]:
    """Return a status as ``git status --porcelain=v1 -uall --no-renames`` lists it."""
    found: set[tuple[str, bytes]] = set()
    for path, staged, unstaged in status.entries:
        codes = staged + unstaged.replace("?", " ")
        if unstaged == "?":
            found.add(("??", path))
        if codes != "  ":
            found.add((codes, path))
    return found
