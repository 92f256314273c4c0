"""``muse rev-parse``: from names to ids."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.core.errors import short
from muse.core.paths import show_path
from muse.core.types import ObjectId, from_raw

if TYPE_CHECKING:  # start-up time
    from muse.core.repo import Repository
    from muse.core.revisions import Revisions

SUMMARY = "turn names of commits and objects into ids"
EXAMPLES = (
    ("muse rev-parse HEAD", "the id of the commit that is checked out"),
    (
        "muse rev-parse --short main~2",
        "the grandparent of main, as short as it stays unique",
    ),
    ("muse rev-parse HEAD:src", "the id of a folder in that commit"),
    ("muse rev-parse --abbrev-ref HEAD", "the name of the branch"),
    ("muse rev-parse --root", "the repository's folder"),
)
SHORT_DIGITS = 10
# Dots after a colon belong to a path.
RANGE = re.compile(r"(?:sha256:)?[^:]*?\.\.")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("revs", nargs="*", metavar="rev", help="a name, an id, or a range a..b")
    parser.add_argument("--short", action="store_true", help="shorten ids while they stay unique")
    parser.add_argument("--abbrev-ref", action="store_true", help="print the short name of the ref")
    parser.add_argument("--root", action="store_true", help="print the repository's folder")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Look the names up."""
    from muse.core.revisions import Revisions

    repo = ctx.repo(sweep=False)
    root = show_path(os.fspath(repo.root))
    if args.root and not args.revs:
        return Result({"root": root, "bare": repo.bare}, root)
    revisions = Revisions(repo.objects, repo.refs, config=repo.config)
    found = []
    lines = [root] if args.root else []
    for text in args.revs or ["HEAD"]:
        if args.abbrev_ref:
            name = _ref_name(repo, revisions, text)
            found.append({"name": text, "ref": name})
            lines.append(show_path(name))
            continue
        item = _resolve(revisions, text)
        found.append({"name": text, **item})
        for oid, sign in _signed(item):
            lines.append(sign + (_shorten(repo, oid) if args.short else oid))
    return Result({"root": root, "revisions": found}, lines)


def _resolve(revisions: Revisions, text: str) -> dict[str, object]:
    """Return {"id"} for one object, {"include", "exclude"} for a range."""
    is_range = (
        text.startswith("^")
        or text.endswith(("^@", "^!"))
        or ".." in text.split(":", maxsplit=1)[0]
    )
    if not is_range:
        return {"id": from_raw(revisions.find(text))}
    found = revisions.find_range(text) if not text.startswith("^") else None
    if found is None:
        return {"include": [], "exclude": [from_raw(revisions.find_commit(text[1:]))]}
    return {
        "include": [from_raw(raw) for raw in found.include],
        "exclude": [from_raw(raw) for raw in found.exclude],
    }


def _signed(item: dict[str, object]) -> list[tuple[ObjectId, str]]:
    if "id" in item:
        return [(ObjectId(str(item["id"])), "")]
    include, exclude = item["include"], item["exclude"]
    assert isinstance(include, list)
    assert isinstance(exclude, list)
    return [(oid, "") for oid in include] + [(oid, "^") for oid in exclude]


def _ref_name(repo: Repository, revisions: Revisions, text: str) -> str:
    from muse.core.refs import short_name

    if text in {"HEAD", "@"}:
        return repo.head().branch or "HEAD"
    name = revisions.full_name(text)
    if name is None:
        revisions.find(text)  # raises when it names nothing at all
        return text
    return short_name(name)


def _shorten(repo: Repository, oid: ObjectId) -> str:
    digits = SHORT_DIGITS
    while digits < 64 and len(repo.objects.find_prefix(short(oid, digits))) > 1:
        digits += 1
    return short(oid, digits)
