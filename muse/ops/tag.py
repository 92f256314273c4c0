"""Tags: names that stay where they are put, with a message of their own or without."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import NamedTuple

from muse.core.ancestry import CommitGraph
from muse.core.commits import ObjectFormatError, Signature, Tag, format_tag, parse_tag
from muse.core.errors import (
    AlreadyExistsError,
    CorruptObjectError,
    ObjectNotFoundError,
    RefNotFoundError,
    UnreadableObjectError,
    short,
)
from muse.core.paths import show_text
from muse.core.refs import TAGS, check_ref_name, short_name
from muse.core.repo import Repository
from muse.core.revisions import Revisions
from muse.core.types import ObjectId, from_raw, to_raw
from muse.ops.commit import check_message


class TagInfo(NamedTuple):
    """One tag.

    Attributes:
        name: Its short name.
        oid: What the ref names: a tag object, or the commit itself.
        target: What it is about in the end, usually a commit.
        annotated: Whether it has a tagger and a message.
        tagger: Who made it, and when.
        subject: The first line of its message, or of its commit's.
        message: Its message; empty when it has none.
        time_s: When it was made, or its commit.
    """

    name: str
    oid: ObjectId
    target: ObjectId
    annotated: bool
    tagger: Signature | None
    subject: str
    message: str
    time_s: int


def list_tags(repo: Repository, patterns: Sequence[str] = ()) -> list[TagInfo]:
    """Return the tags by name.

    Args:
        repo: The repository.
        patterns: With ``*``, ``?``, ``[…]``; one of them must match the name.
    """
    graph = CommitGraph(repo.objects)
    return [
        _info(repo, graph, short_name(ref), oid)
        for ref, oid in repo.refs.iter(TAGS)
        if not patterns or any(fnmatch.fnmatchcase(short_name(ref), p) for p in patterns)
    ]


def _info(repo: Repository, graph: CommitGraph, name: str, oid: ObjectId) -> TagInfo:
    try:
        kind = repo.objects.stat(to_raw(oid))[0]
        if kind == "tag":
            return _annotated(repo, name, oid)
        subject, time_s = "", 0
        if kind == "commit":
            commit = graph.commit(to_raw(oid))
            subject, time_s = commit.subject, commit.committer.time_s
        return TagInfo(name, oid, oid, False, None, subject, "", time_s)
    except UnreadableObjectError:
        raise
    except (ObjectNotFoundError, CorruptObjectError):
        # One tag that lost its object must not hide the others; `verify` names it.
        return TagInfo(name, oid, oid, False, None, "(its object is missing or damaged)", "", 0)


def _annotated(repo: Repository, name: str, oid: ObjectId) -> TagInfo:
    tag = read_tag(repo, oid)
    target = tag
    while target.kind == "tag":
        target = read_tag(repo, from_raw(target.target))
    message = tag.message.decode("utf-8", "backslashreplace")
    subject = " ".join(message.strip().split("\n\n", 1)[0].split("\n"))
    time_s = tag.tagger.time_s if tag.tagger else 0
    return TagInfo(name, oid, from_raw(target.target), True, tag.tagger, subject, message, time_s)


def read_tag(repo: Repository, oid: ObjectId) -> Tag:
    """Read one annotated tag.

    Raises:
        ObjectNotFoundError: It is not stored.
        CorruptObjectError: It is damaged, or no tag.
    """
    try:
        return parse_tag(repo.objects.read(to_raw(oid), expected="tag")[1])
    except ObjectFormatError as error:
        raise CorruptObjectError(oid, where="the store", reason=str(error)) from error


class TagResult(NamedTuple):
    """One tag that was made, moved or deleted.

    Attributes:
        name: Its short name.
        before: What it named; None when it did not exist.
        after: What it names; None when it was deleted.
        target: The commit that it marks; None when it was deleted.
    """

    name: str
    before: ObjectId | None
    after: ObjectId | None
    target: ObjectId | None


def create_tag(
    repo: Repository,
    name: str,
    *,
    rev: str = "HEAD",
    message: str | None = None,
    tagger: Signature | None = None,
    force: bool = False,
) -> TagResult:
    """Make a tag.

    Args:
        repo: The repository.
        name: Its short name.
        rev: What it marks; any object.
        message: Makes it an annotated tag.
        tagger: Who makes it; needed with a message.
        force: Move a tag that exists.

    Raises:
        AlreadyExistsError: It exists, and ``force`` is not set.
        RevisionNotFoundError: ``rev`` names nothing.
        UsageError: The message is empty.
    """
    ref = TAGS + check_ref_name(name)
    text = check_message(message) if message is not None else None
    with repo.transaction("tag", who=tagger) as tx:
        old = repo.refs.read(ref)
        if old is not None and not force:
            raise AlreadyExistsError(
                f"A tag '{show_text(name)}' exists already, at {short(old)}.",
                hint=f"Choose another name, or move it: 'muse tag -f {show_text(name)} <rev>'.",
            )
        raw = Revisions(repo.objects, repo.refs, config=repo.config).find(rev)
        target = oid = from_raw(raw)
        if text is not None:
            kind = repo.objects.stat(raw)[0]
            payload = format_tag(Tag(raw, kind, name, tagger, text))
            oid = from_raw(tx.write_object("tag", payload))
        tx.summary = f"tag: {name} at {short(target)}"
        tx.set_ref(ref, oid, old=old, log=tx.summary)
    return TagResult(name, old, oid, target)


def delete_tags(repo: Repository, names: Sequence[str]) -> list[TagResult]:
    """Delete tags: all of them, or none.

    Raises:
        RefNotFoundError: One does not exist.
    """
    with repo.transaction("tag", summary=f"tag: delete {', '.join(names)}") as tx:
        results = []
        for name in dict.fromkeys(names):
            oid = repo.refs.read(TAGS + name)
            if oid is None:
                raise _no_tag(repo, name)
            tx.set_ref(TAGS + name, None, old=oid, log="")
            results.append(TagResult(name, oid, None, None))
    return results


def _no_tag(repo: Repository, name: str) -> RefNotFoundError:
    import difflib  # start-up time: only mistakes need it

    known = [short_name(ref) for ref in repo.refs.iter_names(TAGS)]
    close = difflib.get_close_matches(name, known, n=3)
    similar = " or ".join(f"'{show_text(other)}'" for other in close)
    return RefNotFoundError(
        f"There is no tag '{show_text(name)}'.",
        hint=f"Did you mean {similar}?" if close else "'muse tag' lists them.",
    )
