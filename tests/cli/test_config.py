"""``muse config`` and ``muse init``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


class TestConfig:
    """Settings are read and written where they belong."""

    def test_set_and_get(self, cli: Cli, repo: Path) -> None:
        """A key and a value is set, a key alone is read."""
        assert cli("config", "user.name", "Ada Lovelace", cwd=repo).code == 0
        assert cli("config", "user.name", cwd=repo).out == "Ada Lovelace\n"
        assert cli("config", "get", "user.name", cwd=repo).out == "Ada Lovelace\n"
        assert cli("config", "user.name", "--json", cwd=repo).json["value"] == "Ada Lovelace"

    def test_user_file(self, cli: Cli, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """--user writes the user's own file; it counts everywhere, below the repository's."""
        home = repo.parent / "home"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
        assert cli("config", "--user", "user.name", "Bob").code == 0
        assert (home / "muse" / "config.toml").read_text("utf-8") == '[user]\nname = "Bob"\n'
        assert cli("config", "user.name").out == "Bob\n"
        assert cli("config", "user.name", cwd=repo).out == "Bob\n"
        cli("config", "user.name", "Ada", cwd=repo)
        assert cli("config", "user.name", cwd=repo).out == "Ada\n"
        assert cli("config", "--user", "user.name", cwd=repo).out == "Bob\n"

    def test_home_has_the_user_file(
        self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without XDG_CONFIG_HOME the file is ~/.config/muse/config.toml."""
        monkeypatch.setenv("HOME", str(tmp_path))
        cli("config", "--user", "user.email", "b@example.com")
        assert (tmp_path / ".config" / "muse" / "config.toml").exists()

    def test_unset(self, cli: Cli, repo: Path) -> None:
        """Unset removes; unsetting or reading what is not set is exit 1."""
        cli("config", "set", "core.gitignore", "false", cwd=repo)
        assert cli("config", "unset", "core.gitignore", cwd=repo).code == 0
        assert cli("config", "core.gitignore", cwd=repo).code == 1
        assert cli("config", "unset", "core.gitignore", cwd=repo).code == 1
        assert cli("config", "core.gitignore", "--json", cwd=repo).json["exit_code"] == 1

    def test_unset_leaves_the_other_file_alone(self, cli: Cli, repo: Path) -> None:
        """Unsetting here what is only set in the user's file is refused."""
        cli("config", "--user", "user.name", "Bob", cwd=repo)
        assert cli("config", "unset", "user.name", cwd=repo).code == 1
        assert cli("config", "user.name", cwd=repo).out == "Bob\n"

    def test_list(self, cli: Cli, repo: Path) -> None:
        """The list has all that is in force, in its own type in JSON."""
        cli("config", "user.name", "Ada", cwd=repo)
        cli("config", "core.gitignore", "false", cwd=repo)
        assert cli("config", cwd=repo).out == "core.gitignore = false\nuser.name = Ada\n"
        settings = cli("config", "list", "--json", cwd=repo).json["settings"]
        assert settings == {"core.gitignore": False, "user.name": "Ada"}

    def test_comments_are_kept(self, cli: Cli, repo: Path) -> None:
        """Setting a value keeps comments and order of the file."""
        path = repo / ".muse" / "config.toml"
        path.write_text('# mine\n[user]\nname = "x" # me\n', "utf-8")
        cli("config", "user.email", "a@b", cwd=repo)
        assert path.read_text("utf-8").startswith('# mine\n[user]\nname = "x" # me\n')

    @pytest.mark.parametrize("key", ["core.editor", "core.pager", "safe.directories"])
    def test_programs_belong_to_the_user(self, key: str, cli: Cli, repo: Path) -> None:
        """What names programs, or whom to trust, is not set in a repository (G16)."""
        outcome = cli("config", key, "x", cwd=repo)
        assert outcome.code == 2
        assert "--user" in outcome.err

    @pytest.mark.parametrize(
        "words", [["nope"], ["a.b", "c", "d"], ["set", "a.b"], ["get"], ["list", "a.b"], [".a"]]
    )
    def test_wrong_words(self, words: list[str], cli: Cli, repo: Path) -> None:
        """Too few or too many words, or what is no key, is exit 2."""
        assert cli("config", *words, cwd=repo).code == 2

    def test_broken_file(self, cli: Cli, repo: Path) -> None:
        """A configuration that is no TOML is exit 3; the file is named and left as it is."""
        path = repo / ".muse" / "config.toml"
        path.write_bytes(b"[user\nname = 1")
        for line in (["config"], ["config", "user.name", "x"], ["commit", "-m", "x"]):
            outcome = cli(*line, cwd=repo)
            assert outcome.code == 3, line
            assert "config.toml" in outcome.err
            assert "Correct" in outcome.err
        assert path.read_bytes() == b"[user\nname = 1"

    def test_outside_a_repository(self, cli: Cli) -> None:
        """Without a repository the user's settings are read, and --user is the hint for writing."""
        assert cli("config").code == 0
        assert cli("config", "user.name", "x").code == 2


class TestInit:
    """The first command of all."""

    def test_says_what_comes_next(self, cli: Cli, tmp_path: Path) -> None:
        """Init says where, on which branch, and what to type next; data on stdout alone."""
        outcome = cli("init", "song")
        assert outcome.out == f"Created a repository in {tmp_path / 'song'}, on branch main.\n"
        assert "'cd song', then 'muse status'" in outcome.err

    def test_again_changes_nothing(self, cli: Cli, repo: Path) -> None:
        """Init in a repository is exit 0 and leaves it as it is."""
        before = (repo / ".muse" / "repo.json").read_bytes()
        outcome = cli("init", cwd=repo)
        assert outcome.code == 0
        assert "already" in outcome.out
        assert (repo / ".muse" / "repo.json").read_bytes() == before

    def test_json(self, cli: Cli, tmp_path: Path) -> None:
        """The JSON has root, branch and whether it is bare."""
        assert cli("init", "--bare", "-b", "trunk", "x", "--json").json == {
            "root": str(tmp_path / "x"),
            "created": True,
            "bare": True,
            "branch": "trunk",
        }

    def test_first_branch_from_settings(self, cli: Cli) -> None:
        """The user's init.branch names the first branch."""
        cli("config", "--user", "init.branch", "trunk")
        assert cli("init", "x", "--json").json["branch"] == "trunk"

    def test_a_file_in_the_way(self, cli: Cli, tmp_path: Path) -> None:
        """Init on a file is refused with a hint, and changes nothing."""
        (tmp_path / "x").write_bytes(b"1")
        outcome = cli("init", "x")
        assert outcome.code == 3
        assert (tmp_path / "x").read_bytes() == b"1"

    def test_bad_branch_name(self, cli: Cli) -> None:
        """A branch name that could escape is refused."""
        assert cli("init", "x", "-b", "../../etc").code == 2
