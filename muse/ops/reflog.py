"""Where a ref was, newest first."""

from __future__ import annotations

from typing import NamedTuple

from muse.core.errors import RefNotFoundError
from muse.core.paths import show_text
from muse.core.reflog import ReflogEntry, count_damaged_lines, read_reflog, reflog_path
from muse.core.refs import HEADS, REMOTES, TAGS, short_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions


class ReflogResult(NamedTuple):
    """One ref's moves.

    Attributes:
        ref: Its full name, or ``HEAD``.
        entries: The moves, newest first; the nth is ``<name>@{n}``.
        damaged: How many lines cannot be read.
    """

    ref: str
    entries: tuple[ReflogEntry, ...]
    damaged: int

    @property
    def name(self) -> str:
        """The name that people use."""
        return short_name(self.ref)


def reflog(repo: Repository, name: str = "HEAD") -> ReflogResult:
    """Read where a ref was; also of one that is damaged, or that names nothing any more.

    Raises:
        RefNotFoundError: There is no such ref, nor a log of one.
    """
    ref = _find(repo, name)
    entries = tuple(read_reflog(repo.root, ref))
    return ReflogResult(ref, entries, count_damaged_lines(repo.root, ref))


def _find(repo: Repository, name: str) -> str:
    if name in {"HEAD", "@"}:
        return "HEAD"
    # By its log first: the reflog is what helps when the ref itself is damaged.
    for prefix in ("", HEADS, TAGS, REMOTES):
        ref = prefix + name
        is_safe = ref.startswith("refs/") and not any(p in {"", ".", ".."} for p in ref.split("/"))
        if is_safe and reflog_path(repo.root, ref).is_file():
            return ref
    full = Revisions(repo.objects, repo.refs, config=repo.config).full_name(name)
    if full is None:
        raise RefNotFoundError(
            f"There is no ref '{show_text(name)}', nor a log of one.",
            hint="'muse branch -a' and 'muse tag' list the refs; 'muse reflog' shows HEAD's log.",
        )
    return full
