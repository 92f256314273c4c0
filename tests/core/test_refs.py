"""Refs, HEAD, reflogs and settings: names as git allows them, and damage that is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muse.core.commits import Signature
from muse.core.config import Config, set_value
from muse.core.errors import CorruptFileError, NotARepositoryError, UnsafeNameError, UsageError
from muse.core.paths import config_path, head_path, muse_dir, repo_json_path
from muse.core.reflog import ReflogEntry, count_damaged_lines, encode_entry, read_reflog
from muse.core.refs import RefStore, check_ref_name
from muse.core.repo import open_repo
from muse.core.types import blob_id
from muse.ops.init import init
from muse.ops.settings import set_setting

ONE, TWO = blob_id(b"1"), blob_id(b"2")


@given(name=st.text(alphabet="ab./-@{}~^:*[\\ \x01\x7f?é", min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_names_are_gits(name: str) -> None:
    """What `git check-ref-format` refuses is refused; we are stricter only about options."""
    git = subprocess.run(["git", "check-ref-format", "refs/heads/" + name], check=False)
    try:
        check_ref_name("refs/heads/" + name)
        ours = True
    except UnsafeNameError:
        ours = False
    assert ours == (git.returncode == 0)


@pytest.mark.parametrize("name", ["-x", "../x", "a/../b", "/a", "a.lock", "@", "", "a" * 300])
def test_names_that_could_escape(name: str) -> None:
    """A branch name never leaves the folder of refs, nor reads as an option (G11)."""
    with pytest.raises(UnsafeNameError):
        check_ref_name(name)


class TestReading:
    """What lies on disk, and what is made of it."""

    def test_unborn_and_missing(self, tmp_path: Path) -> None:
        """Missing or empty is unborn; a bare .muse/ without HEAD is on the default branch."""
        muse_dir(tmp_path).mkdir()
        refs = RefStore(tmp_path)
        assert refs.head() == ("main", "refs/heads/main", None)
        path = refs.path("refs/heads/main")
        path.parent.mkdir(parents=True)
        path.write_text("")
        assert refs.read("refs/heads/main") is None
        assert list(refs.iter()) == []

    def test_damage_is_told_with_the_way_out(self, tmp_path: Path) -> None:
        """A torn ref or HEAD is an error that names the file and the reflog."""
        init(tmp_path)
        refs = RefStore(tmp_path)
        refs.path("refs/heads/main").write_text("sha256:12")
        with pytest.raises(CorruptFileError, match="refs/heads/main") as caught:
            refs.head()
        assert "muse reflog main" in caught.value.hint
        head_path(tmp_path).write_text("nonsense\n")
        with pytest.raises(CorruptFileError, match="HEAD"):
            refs.head()

    def test_reflog_skips_torn_lines(self, tmp_path: Path) -> None:
        """A line cut by a crash hides itself and nothing else."""
        init(tmp_path)
        who = Signature("Ödön", "o@x", 7, "+0200")
        entry = ReflogEntry(None, ONE, who, "commit: a\nb")
        path = muse_dir(tmp_path) / "logs" / "HEAD"
        path.write_bytes(encode_entry(entry) + b"\n" + encode_entry(entry)[:50] + b"\n")
        assert read_reflog(tmp_path, "HEAD") == [ReflogEntry(None, ONE, who, "commit: a b")]
        assert count_damaged_lines(tmp_path, "HEAD") == 1


class TestOpening:
    """Finding a repository."""

    def test_found_from_below(self, tmp_path: Path) -> None:
        """Any folder inside will do."""
        init(tmp_path)
        (tmp_path / "a/b").mkdir(parents=True)
        assert open_repo(tmp_path / "a/b").root == tmp_path

    def test_not_found(self, tmp_path: Path) -> None:
        """The library raises; the hint says how to create one."""
        with pytest.raises(NotARepositoryError) as caught:
            open_repo(tmp_path)
        assert "muse init" in caught.value.hint

    def test_init_is_idempotent(self, tmp_path: Path) -> None:
        """A second init changes nothing, a half-made repository is completed."""
        assert init(tmp_path, branch="trunk").created
        assert open_repo(tmp_path).head().branch == "trunk"
        again = init(tmp_path)
        assert not again.created
        repo_json_path(tmp_path).unlink()
        assert init(tmp_path).created
        assert open_repo(tmp_path).head().branch == "trunk"

    def test_a_newer_format_is_refused(self, tmp_path: Path) -> None:
        """Nothing is guessed about a format from the future."""
        init(tmp_path)
        repo_json_path(tmp_path).write_text('{"format": 99}')
        with pytest.raises(Exception, match="format 99"):
            _ = open_repo(tmp_path).bare


class TestSettings:
    """config.toml, read with tomllib and written with its comments kept."""

    def test_set_keeps_comments(self, tmp_path: Path) -> None:
        """Only the one value changes."""
        init(tmp_path)
        text = '# mine\n[user]\nname = "A" # me\n\n[core]\nx = 1\n'
        config_path(tmp_path).write_text(text)
        repo = open_repo(tmp_path)
        set_setting(repo, "user.name", "B")
        set_setting(repo, 'branch."v1.0".remote', "origin")
        assert repo.config.get("user.name") == "B"
        assert repo.config.get('branch."v1.0".remote') == "origin"
        assert repo.config.sections("branch") == ["v1.0"]
        assert "# me" in config_path(tmp_path).read_text()
        set_setting(repo, "user.name", None)
        assert repo.config.get("user.name") is None

    def test_the_repository_wins_but_never_names_programs(self, tmp_path: Path) -> None:
        """Commands come from the user's own configuration (G16)."""
        local, user = tmp_path / "local", tmp_path / "user"
        local.write_text('[core]\neditor = "evil"\nother = "local"\n')
        user.write_text('[core]\neditor = "vi"\nother = "user"\nflag = true\n')
        config = Config(local, user_path=user)
        assert config.get("core.editor") == "vi"
        assert config.get("core.other") == "local"
        assert config.get_bool("core.flag", default=False) is True
        assert config.items()["core.editor"] == "vi"

    def test_nonsense_is_told(self, tmp_path: Path) -> None:
        """Bad TOML names the file, a bad key or value the way to write it."""
        path = tmp_path / "config.toml"
        path.write_text("[broken")
        with pytest.raises(CorruptFileError, match=r"config\.toml"):
            Config(path).get("a.b")
        with pytest.raises(UsageError):
            set_value(b"", "single", 1)
        with pytest.raises(UsageError):
            set_value(b"[a]\nb = 1\n", "a.b.c", 1)
        path.write_text('[a]\nb = "x"\n')
        with pytest.raises(UsageError):
            Config(path).get_int("a.b", default=1)
        with pytest.raises(UsageError):
            Config(path).get_bool("a.b", default=True)
