"""``muse diff``: what changed, line by line."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result
from muse.cli.diff_output import Form, add_diff_options, diff_data, diff_options
from muse.core.errors import MuseError, NotFoundError, UsageError

if TYPE_CHECKING:  # start-up time
    from collections.abc import Sequence

    from muse.core.repo import Repository
    from muse.core.revisions import Revisions
    from muse.core.types import RawId
    from muse.ops.diff import DiffResult

SUMMARY = "show what changed, line by line"
EXAMPLES = (
    ("muse diff", "what you changed and did not stage yet"),
    ("muse diff --staged", "what the next commit would record"),
    ("muse diff HEAD", "all changes since the last commit, staged or not"),
    ("muse diff main topic -- src", "from one branch to another, in one folder"),
    ("muse diff main...topic", "what a branch did since it left main"),
    ("muse diff --stat v1.0 HEAD", "how much changed in each file"),
    ("muse diff > work.patch", "a patch; 'git apply' takes it, too"),
)
_RANGE = re.compile(r"([^:]*?)(\.\.\.?)([^:]*)\Z", re.DOTALL)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="rev or path",
        help="up to two revisions, or a range a..b, then paths; -- before paths removes all doubt",
    )
    parser.add_argument(
        "--staged", "--cached", action="store_true", help="the stage, not the working tree"
    )
    add_diff_options(parser)
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 1 when there are differences"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing; as --exit-code")


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Compare what the arguments name."""
    from muse.ops.diff import diff

    repo = ctx.repo(sweep=False)
    options = diff_options(args)
    revs, words = _split(ctx, repo, args)
    paths = [ctx.path(word) for word in words]
    sides = _Sides(repo)
    blobs = sides.blobs(revs) if len(revs) == 2 and not args.staged else None
    if blobs is not None:
        from muse.ops.diff import diff_blobs

        result = diff_blobs(repo, *blobs, options=options)
    else:
        old, new = sides.trees(revs)
        if args.staged and new is not None:
            raise UsageError(
                "--staged compares the stage with one revision, not with two.",
                hint="As in 'muse diff --staged main'.",
            )
        result = diff(repo, old=old, new=new, staged=args.staged, paths=paths, options=options)
    return _answer(ctx, args, result)


def _answer(ctx: Context, args: argparse.Namespace, result: DiffResult) -> Result:
    code = 0
    if args.exit_code or args.quiet:
        code = int(next(result.counts(), None) is not None)
    if ctx.json:
        return Result(diff_data(result, args.form), exit_code=code)
    if args.quiet:
        return Result({}, exit_code=code)
    form = Form(ctx, args)
    if form.for_people:
        return Result({}, form.text(form.rows(result)), exit_code=code)
    return Result({}, exit_code=code, raw=form.chunks(result))


def _split(ctx: Context, repo: Repository, args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Tell revisions from paths, as git does.

    Raises:
        UsageError: A word may be either, or there are too many revisions.
        NotFoundError: A word is neither.
    """
    words: list[str] = list(args.words)
    if args.after_dashes is not None:
        count = len(words) - len(args.after_dashes)
        revs, paths = words[:count], words[count:]
    else:
        names = _revisions(repo)
        revs, paths = [], []
        for at, word in enumerate(words):
            problem = _problem(names, word)
            is_path = os.path.lexists(ctx.cwd / word)
            if problem is None and is_path:
                raise UsageError(
                    f"'{word}' is both a revision and a path.",
                    hint=f"Write 'muse diff {word} --' or 'muse diff -- {word}'.",
                )
            if problem is not None:
                if not is_path and not _is_known_path(ctx, repo, word):
                    raise problem
                revs, paths = words[:at], words[at:]
                break
            revs.append(word)
    if len(revs) > 2:
        raise UsageError(
            f"Two revisions can be compared, not {len(revs)}.",
            hint="Name paths after --, as in 'muse diff main -- src docs'.",
        )
    return revs, paths


def _revisions(repo: Repository) -> Revisions:
    from muse.core.revisions import Revisions

    return Revisions(repo.objects, repo.refs, config=repo.config)


def _problem(names: Revisions, word: str) -> MuseError | None:
    """Return why a word names nothing; None when it does."""
    match = _RANGE.match(word)
    try:
        for side in [match[1] or "HEAD", match[3] or "HEAD"] if match else [word]:
            names.find(side)
    except (NotFoundError, UsageError) as error:
        return error
    return None


def _is_known_path(ctx: Context, repo: Repository, word: str) -> bool:
    """Tell whether a word is a pattern, or a path that is tracked though it is gone."""
    from muse.core.tree_diff import is_pattern
    from muse.core.trees import find_in_tree

    try:
        path = ctx.path(word)
    except UsageError:
        return False
    return is_pattern(path) or find_in_tree(repo.objects, repo.head_tree(), path) is not None


class _Sides:
    """What the revisions of the command line stand for."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._names = _revisions(repo)

    def blobs(self, revs: Sequence[str]) -> tuple[tuple[str, RawId], tuple[str, RawId]] | None:
        """Return two files that are compared directly, as in ``a:x b:y``, or None."""
        if any(_RANGE.match(rev) for rev in revs):
            return None
        one, two = ((rev.partition(":")[2] or rev, self._names.find(rev)) for rev in revs)
        kinds = {self._repo.objects.stat(raw)[0] for _, raw in (one, two)}
        return (one, two) if kinds == {"blob"} else None

    def trees(self, revs: Sequence[str]) -> tuple[RawId | None, RawId | None]:
        """Return the old and the new tree; None for a side that is not named.

        Raises:
            UsageError: A range stands beside another revision.
        """
        found: list[RawId] = []
        for rev in revs:
            match = _RANGE.match(rev)
            if match is None:
                found.append(self._names.find_tree(rev))
                continue
            if len(revs) > 1:
                raise UsageError(
                    f"'{rev}' names both sides already.",
                    hint="Give one range, or two revisions.",
                )
            found += self._range(
                match[1] or "HEAD", match[3] or "HEAD", from_fork=match[2] == "..."
            )
        return (found[0] if found else None), (found[1] if len(found) > 1 else None)

    def _range(self, old: str, new: str, *, from_fork: bool) -> list[RawId]:
        if not from_fork:
            return [self._names.find_tree(old), self._names.find_tree(new)]
        from muse.core.ancestry import merge_bases

        one, two = self._names.find_commit(old), self._names.find_commit(new)
        bases = merge_bases(self._names.graph, one, two)
        if not bases:
            raise UsageError(
                f"{old} and {new} have no common ancestor.",
                hint=f"'muse diff {old}..{new}' compares them as they are.",
            )
        return [self._repo.commit(bases[0]).tree, self._repo.commit(two).tree]
