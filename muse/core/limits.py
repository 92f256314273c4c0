"""What a walk through history leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from muse.core.commits import Commit
from muse.core.errors import UsageError
from muse.core.paths import show_text


class Limits(NamedTuple):
    """What a walk leaves out.

    Attributes:
        max_count: Yield at most this many; None for all.
        skip: Leave out this many first.
        since_s: Leave out commits made before this Unix time.
        until_s: Leave out commits made after it.
        author: A regular expression that must match ``Name <mail>``.
        grep: A regular expression that must match a line of the message.
        ignore_case: Both match without regard to case.
        paths: Only commits that change one of these; see `PathFilter`.
        first_parent: Follow only first parents.
        merges: True for merges only, False for none of them, None for both.
    """

    max_count: int | None = None
    skip: int = 0
    since_s: int | None = None
    until_s: int | None = None
    author: str | None = None
    grep: str | None = None
    ignore_case: bool = False
    paths: tuple[bytes, ...] = ()
    first_parent: bool = False
    merges: bool | None = None

    def matcher(self) -> Callable[[Commit], bool] | None:
        """Return the test on author and message; None when there is none.

        Raises:
            UsageError: One of them is no regular expression.
        """
        author = _compile(self.author, ignore_case=self.ignore_case)
        grep = _compile(self.grep, ignore_case=self.ignore_case)
        if author is None and grep is None:
            return None

        def matches(commit: Commit) -> bool:
            who = f"{commit.author.name} <{commit.author.email}>"
            if author is not None and not author.search(who):
                return False
            return grep is None or grep.search(commit.text) is not None

        return matches


def _compile(pattern: str | None, *, ignore_case: bool) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        return re.compile(pattern, re.MULTILINE | (re.IGNORECASE if ignore_case else 0))
    except re.error as error:
        raise UsageError(
            f"'{show_text(pattern)}' is not a regular expression: {error}.",
            hint="Put a backslash before signs that are meant as they are.",
        ) from error
