"""Verify a repository, a revision or a path; nothing is ever written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

from muse.core.errors import MuseError, PathNotFoundError
from muse.core.findings import Finding
from muse.core.paths import show_path
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.spot_check import Spot, SpotReport, check_spots
from muse.core.stage import read_stage
from muse.core.trace import Touch
from muse.core.trees import find_in_tree
from muse.core.types import (
    MODE_TREE,
    ObjectId,
    ObjectType,
    Progress,
    RawId,
    frame_header,
    from_raw,
    is_object_id,
    to_raw,
)
from muse.core.verify import VerifyReport, verify_store


def verify(
    repo: Repository, *, list_unreachable: bool = False, progress: Progress | None = None
) -> VerifyReport:
    """Verify everything: each ref → commit → tree → blob, and all that lies around.

    Args:
        repo: The repository; it is not changed.
        list_unreachable: Name the objects that nothing refers to, and not only count them.
        progress: Called with (objects checked, objects in all).

    Returns:
        The report; damage is in it, not raised.

    See:
        G14, G15.
    """
    from concurrent.futures import ThreadPoolExecutor  # start-up time

    with ThreadPoolExecutor(1, thread_name_prefix="muse-verify") as pool:
        report = verify_store(
            repo.root,
            overlay=repo.objects.overlay,
            list_unreachable=list_unreachable,
            pool=pool,
            progress=progress,
        )
    return replace(report, findings=_look_into_files(repo, report.findings))


def verify_object(repo: Repository, raw: RawId, *, below: bool = True) -> SpotReport:
    """Verify every copy of one object, and of what lies below it.

    Args:
        repo: The repository.
        raw: The object.
        below: Go on to everything below a commit (not its parents), tag or tree.
    """
    return _check(repo, [Spot(raw, None, Touch(_short(raw)))], below=below)


def verify_revision(repo: Repository, text: str) -> SpotReport:
    """Verify what a revision names, and what lies below it.

    Raises:
        RevisionNotFoundError: It names nothing.
    """
    if is_object_id(text):
        return verify_object(repo, to_raw(text))
    raw = Revisions(repo.objects, repo.refs, config=repo.config).find(text)
    return _check(repo, [Spot(raw, None, Touch(text))])


def verify_path(repo: Repository, path: bytes) -> SpotReport:
    """Verify a file or folder as HEAD and the stage have it, with everything on the way to it.

    Args:
        repo: The repository.
        path: A repository path; ``b""`` for all of HEAD.

    Raises:
        PathNotFoundError: Neither HEAD nor the stage knows it.
    """
    spots = _staged_spots(repo, path)
    way: list[Spot] = []
    head = repo.head().commit
    if head is not None:
        label = repo.head().branch or "HEAD"
        way = [Spot(to_raw(head), "commit", Touch(label))]
        # What is in the way of finding it is what the check of that way reports.
        with contextlib.suppress(MuseError):
            spots += _committed_spots(repo, path, Touch(label, head), way)
    report = _check(repo, way, below=False)
    if not spots and report.is_whole:
        raise PathNotFoundError(
            f"'{show_path(path)}' is neither committed nor staged.",
            hint="'muse status' shows what is there.",
        )
    found = _check(repo, spots)
    return SpotReport((*report.findings, *found.findings), report.objects + found.objects)


def _check(repo: Repository, spots: list[Spot], *, below: bool = True) -> SpotReport:
    report = check_spots(repo.root, spots, below=below)
    return report._replace(findings=_look_into_files(repo, report.findings))


def _look_into_files(repo: Repository, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Say so where a file of the working tree still has the bytes that are damaged or missing."""
    if repo.bare:
        return findings
    return tuple(_look_into_file(repo, finding) for finding in findings)


def _look_into_file(repo: Repository, finding: Finding) -> Finding:
    if finding.oid is None:
        return finding
    paths = dict.fromkeys(t.path for t in finding.touches if t.path and t.kind == "blob")
    for path in paths:
        if _hash_file(repo.root, path) == finding.oid:
            name = show_path(path)
            way_out = (
                f"Nothing is lost: {name} in the working tree still has this content, and "
                f"'muse hash-object -w {name}' stores it again."
            )
            return replace(finding, way_out=way_out)
    return finding


def _hash_file(root: Path, path: bytes) -> ObjectId | None:
    """Return the id that a file of the working tree would have; None when it is no plain file."""
    try:
        fd = os.open(
            os.path.join(os.fsencode(root), path),
            os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK,
        )
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        digest = hashlib.sha256(frame_header("blob", status.st_size))
        while block := os.read(fd, 1 << 20):
            digest.update(block)
    except OSError:
        return None
    finally:
        os.close(fd)
    return from_raw(digest.digest())


def _staged_spots(repo: Repository, path: bytes) -> list[Spot]:
    below = path + b"/"
    return [
        Spot(entry[1], "blob", Touch("stage", path=name))
        for name, entry in read_stage(repo.root).items()
        if entry is not None and (name == path or not path or name.startswith(below))
    ]


def _committed_spots(repo: Repository, path: bytes, touch: Touch, way: list[Spot]) -> list[Spot]:
    """Return what HEAD has at a path; the trees that lead to it are added to ``way``."""
    tree = repo.head_tree()
    if not path:
        return [Spot(tree, "tree", touch)]
    way.append(Spot(tree, "tree", touch))
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        name = b"/".join(parts[:depth])
        entry = find_in_tree(repo.objects, tree, name)
        if entry is None:
            return []
        kind: ObjectType = "tree" if entry.mode == MODE_TREE else "blob"
        spot = Spot(entry.raw, kind, touch._replace(path=name))
        if depth == len(parts):
            return [spot]
        way.append(spot)
    return []


def _short(raw: RawId) -> str:
    return from_raw(raw).removeprefix("sha256:")[:10]
