"""Who commits, and when."""

from __future__ import annotations

import calendar
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.cli.dates import parse_date, parse_when
from muse.cli.identity import find_author, find_committer, parse_author
from muse.cli.render import zone_text
from muse.core.commits import Signature
from muse.core.config import Config
from muse.core.errors import UsageError

NOWHERE = Config(None)


@pytest.fixture
def warnings() -> list[str]:
    """Collect what would be said on stderr."""
    return []


def _listen(warnings: list[str]) -> object:
    return lambda message, hint="": warnings.append(f"{message} {hint}")


def _user(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return Config(None, user_path=path)


class TestIdentity:
    """Environment, then settings, then a guess that is announced."""

    def test_environment_first(self, tmp_path: Path) -> None:
        """MUSE_AUTHOR_* win over the settings, each for itself."""
        config = _user(tmp_path, '[user]\nname = "Bob"\nemail = "bob@example.com"\n')
        env = {"MUSE_AUTHOR_NAME": "Ada", "MUSE_AUTHOR_DATE": "1700000000 +0130"}
        author = find_author(env, config, warn=None)
        assert author == Signature("Ada", "bob@example.com", 1_700_000_000, "+0130")

    def test_author_and_committer_are_two(self) -> None:
        """MUSE_COMMITTER_* set the committer alone."""
        env = {
            "MUSE_AUTHOR_NAME": "Ada",
            "MUSE_AUTHOR_EMAIL": "a@b",
            "MUSE_COMMITTER_NAME": "Bob",
            "MUSE_COMMITTER_EMAIL": "b@b",
            "MUSE_AUTHOR_DATE": "1 +0000",
            "MUSE_COMMITTER_DATE": "2 +0000",
        }
        assert find_author(env, NOWHERE, warn=None) == Signature("Ada", "a@b", 1, "+0000")
        assert find_committer(env, NOWHERE, warn=None) == Signature("Bob", "b@b", 2, "+0000")

    def test_committer_falls_back_to_the_author(self) -> None:
        """Who names only the author is the committer, too, rather than a guess."""
        env = {"MUSE_AUTHOR_NAME": "Ada", "MUSE_AUTHOR_EMAIL": "a@b"}
        committer = find_committer(env, NOWHERE, warn=None)
        assert (committer.name, committer.email) == ("Ada", "a@b")

    def test_guess_is_announced(self, warnings: list[str]) -> None:
        """With nothing configured there is still a commit, and a warning that teaches."""
        author = find_author({}, NOWHERE, warn=_listen(warnings))  # type: ignore[arg-type]  # a lambda
        assert author.name
        assert "@" in author.email
        assert "muse config --user user.name" in warnings[0]

    def test_no_word_when_known(self, warnings: list[str], tmp_path: Path) -> None:
        """Nothing is said when both name and address are set."""
        config = _user(tmp_path, '[user]\nname = "Bob"\nemail = "bob@example.com"\n')
        find_author({}, config, warn=_listen(warnings))  # type: ignore[arg-type]  # a lambda
        assert warnings == []

    @pytest.mark.parametrize("name", ["a<b", "a>b", "two\nlines", "  "])
    def test_names_that_break_a_commit(self, name: str) -> None:
        """A name with brackets or line breaks is refused: it would break the commit's format."""
        with pytest.raises(UsageError):
            find_author({"MUSE_AUTHOR_NAME": name}, NOWHERE, warn=None)

    def test_author_option(self) -> None:
        """--author takes 'Name <mail>' and keeps the date."""
        now = Signature("x", "y", 5, "+0100")
        assert parse_author("Ada L <a@b>", now=now) == Signature("Ada L", "a@b", 5, "+0100")
        for bad in ("Ada", "Ada <a@b> x", "<a@b>", "Ada <>"):
            with pytest.raises(UsageError):
                parse_author(bad, now=now)


class TestDates:
    """Every form that people and programs write."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1700000000 +0100", (1_700_000_000, 60)),
            ("@1700000000 +0000", (1_700_000_000, 0)),
            ("1700000000 -0730", (1_700_000_000, -450)),
            ("@0 +0000", (0, 0)),
            ("-5 +0000", (-5, 0)),
            ("2023-11-14T23:13:20+01:00", (1_700_000_000, 60)),
            ("2023-11-14T22:13:20Z", (1_700_000_000, 0)),
            ("2023-11-14 22:13:20 +00:00", (1_700_000_000, 0)),
            (" 20231114T221320Z ", (1_700_000_000, 0)),
        ],
    )
    def test_forms(self, text: str, expected: tuple[int, int]) -> None:
        """Seconds with a zone and ISO 8601 are understood."""
        assert parse_date(text.replace(" +00:00", "+00:00")) == expected

    def test_without_a_zone(self) -> None:
        """Without a zone the machine's is meant; here that is UTC."""
        assert parse_date("2023-11-14 22:13") == (1_699_999_980, 0)
        assert parse_date("2023-11-14") == (calendar.timegm((2023, 11, 14, 0, 0, 0)), 0)
        assert parse_date("@1700000000") == (1_700_000_000, 0)

    @pytest.mark.parametrize(
        "text", ["", "soon", "1700000000 +9900", "1 +0075", "2023-13-01", "2023-11-14T25:00"]
    )
    def test_refused(self, text: str) -> None:
        """What is no date is an error that shows a right one."""
        with pytest.raises(UsageError) as caught:
            parse_date(text)
        assert "2023" in caught.value.hint

    @given(st.text(max_size=30))
    @settings(deadline=None, max_examples=200)
    def test_any_text(self, text: str) -> None:
        """Any text is a date or a UsageError."""
        try:
            time_s, offset_min = parse_date(text)
        except UsageError:
            return
        assert isinstance(time_s, int)
        assert isinstance(offset_min, int)

    @pytest.mark.parametrize("text", ["1700000000 +0100", "1700000000 -0730", "@12345678 +0545"])
    def test_git_agrees(self, text: str, tmp_path: Path) -> None:
        """Git reads the same moment and zone."""
        shown = subprocess.run(
            ["git", "var", "GIT_AUTHOR_IDENT"],
            env={"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a", "GIT_AUTHOR_DATE": text,
                 "PATH": "/usr/bin:/bin:/usr/local/bin"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
        time_s, offset_min = parse_date(text)
        assert shown.stdout.strip().endswith(f"> {time_s} {zone_text(offset_min)}")

    @pytest.mark.parametrize(
        ("text", "seconds_ago"),
        [
            ("now", 0),
            ("2 weeks ago", 14 * 86_400),
            ("2.weeks.ago", 14 * 86_400),
            ("3d", 3 * 86_400),
            ("1 hour", 3600),
            ("an hour ago", 3600),
            ("10min", 600),
            ("one month ago", 2_629_800),
        ],
    )
    def test_relative(self, text: str, seconds_ago: int) -> None:
        """--since takes what people say."""
        assert parse_when(text, now_s=1_700_000_000) == 1_700_000_000 - seconds_ago

    def test_days(self) -> None:
        """Today begins at midnight, and yesterday a day before."""
        midnight = calendar.timegm((2023, 11, 14, 0, 0, 0))
        assert parse_when("today", now_s=1_700_000_000) == midnight
        assert parse_when("yesterday", now_s=1_700_000_000) == midnight - 86_400
