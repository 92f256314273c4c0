"""log, reflog, branch, tag, switch, checkout, restore, undo and redo as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def song(repo: Path, cli: Cli) -> Path:
    """Two commits on main, one on topic; main is checked out."""
    (repo / "a").write_text("1\n")
    (repo / "src").mkdir()
    (repo / "src/b").write_text("1\n")
    assert cli("commit", "-m", "first", cwd=repo).code == 0
    assert cli("switch", "-c", "topic", cwd=repo).code == 0
    (repo / "src/b").write_text("2\n")
    assert cli("commit", "-m", "on topic\n\nwith a body", cwd=repo).code == 0
    assert cli("switch", "main", cwd=repo).code == 0
    (repo / "a").write_text("2\n")
    assert cli("commit", "-m", "second", cwd=repo).code == 0
    return repo


class TestLog:
    def test_oneline_graph_of_all(self, cli: Cli, song: Path) -> None:
        """One line a commit, with the names that stand at it and the lines between them."""
        found = cli("log", "--oneline", "--graph", "--all", cwd=song).out.splitlines()
        # Equal dates: the order among the two tips is the order in which they were named.
        assert [line.split(" ", 2)[0] for line in found] == ["●", "│", "●─╯"]
        assert "(HEAD → main) second" in found[0]
        assert "(topic) on topic" in found[1]
        assert found[2].endswith("first")

    def test_json_carries_what_is_promised(self, cli: Cli, song: Path) -> None:
        """One object with "commits", each with its ids, people, dates and message."""
        data = cli("log", "--json", "topic", cwd=song).json
        commit = data["commits"][0]
        assert commit["message"] == "on topic\n\nwith a body\n"
        assert commit["author"] == "Ada <ada@example.com>"
        assert commit["committed_at"] == "2023-11-14T23:13:20+01:00"
        assert commit["parents"] == [data["commits"][1]["commit_id"]]
        assert commit["tree_id"].startswith("sha256:")

    def test_ranges_paths_and_limits(self, cli: Cli, song: Path) -> None:
        """Revisions, then paths after --; a path alone is taken for one."""
        for arguments, subjects in (
            (("main..topic",), ["on topic"]),
            (("topic", "--", "src"), ["on topic", "first"]),
            (("--", "src/b"), ["first"]),
            (("src/b",), ["first"]),
            (("-n", "1"), ["second"]),
            (("--skip", "1"), ["first"]),
            (("--grep", "BODY", "-i", "topic"), ["on topic"]),
            (("--author", "Nobody"), []),
            (("--since", "2023-11-15"), []),
            (("--until", "2023-11-15"), ["second", "first"]),
            (("--topo-order", "--first-parent", "topic"), ["on topic", "first"]),
        ):
            found = cli("log", "--json", *arguments, cwd=song).json["commits"]
            assert [commit["subject"] for commit in found] == subjects, arguments

    def test_full_text(self, cli: Cli, song: Path) -> None:
        """Without options: id, names, author, date and the indented message."""
        lines = cli("log", "-n", "1", "topic", cwd=song).out.splitlines()
        assert lines[0].startswith("commit sha256:")
        assert lines[0].endswith("(topic)")
        assert lines[1:3] == [
            "Author: Ada <ada@example.com>",
            "Date:   Tue 14 Nov 2023 23:13:20 +0100",
        ]
        assert lines[4:] == ["    on topic", "", "    with a body"]

    def test_changes(self, cli: Cli, song: Path) -> None:
        """With -p and its like each commit shows what it changed, in text and in JSON."""
        out = cli("log", "-p", "-n", "1", cwd=song).out
        assert "-1\n+2\n" in out
        assert "1 file changed" in cli("log", "--stat", "--graph", "-n", "1", cwd=song).out
        assert cli("log", "--oneline", "--name-status", "-n", "1", cwd=song).out.endswith("M\ta\n")
        found = cli("log", "--json", "--name-only", "-n", "1", cwd=song).json["commits"][0]
        assert [file["path"] for file in found["changes"]["files"]] == ["a"]
        assert cli("log", "-p", "--stat", cwd=song).code == 2

    def test_control_characters_are_visible(self, cli: Cli, song: Path) -> None:
        """A message cannot clear the terminal (G17)."""
        (song / "a").write_text("3\n")
        cli("commit", "-m", "bad\x1b[2J\x07", cwd=song)
        for option in ("--oneline", "--no-color"):
            out = cli("log", "-n", "1", option, cwd=song).out
            assert "\\x1b[2J\\x07" in out
            assert "\x1b" not in out

    def test_bad_input(self, cli: Cli, song: Path) -> None:
        """Unknown revisions, dates and patterns are errors with their exit codes."""
        assert cli("log", "nosuch", cwd=song).code == 4
        assert cli("log", "--since", "nonsense", cwd=song).code == 2
        assert cli("log", "--grep", "(", cwd=song).code == 2
        assert cli("log", "-n", "-1", cwd=song).code == 2
        assert cli("log", "topic", "--", "../outside", cwd=song).code == 2
        assert cli("log", "--json", "nosuch", cwd=song).json["exit_code"] == 4

    def test_a_damaged_ref_does_not_hide_the_history(self, cli: Cli, song: Path) -> None:
        """A ref that is nonsense, or marks no commit, is passed by."""
        blob = cli("rev-parse", "HEAD:a", cwd=song).out.strip()
        (song / ".muse/refs/tags/file").write_text(f"{blob}\n")
        (song / ".muse/refs/heads/bad").write_text("nonsense\n")
        found = cli("log", "--all", "--oneline", cwd=song)
        assert (found.code, len(found.out.splitlines())) == (0, 3)

    def test_an_empty_repository(self, cli: Cli, repo: Path) -> None:
        """Before the first commit there is nothing to show, and that is no error."""
        found = cli("log", cwd=repo)
        assert (found.code, found.out) == (0, "No commits yet on main.\n")
        assert cli("log", "--json", cwd=repo).json == {"commits": []}
        assert cli("log", "--all", "--json", cwd=repo).json == {"commits": []}


class TestBranch:
    def test_list_create_rename_delete(self, cli: Cli, song: Path) -> None:
        """The everyday life of a branch, with a way back said at its end."""
        assert cli("branch", cwd=song).out == "* main\n  topic\n"
        assert "begins at" in cli("branch", "new", "topic~1", cwd=song).out
        assert cli("branch", "new", cwd=song).code == 1
        assert cli("branch", "-m", "new", "newer", cwd=song).code == 0
        refused = cli("branch", "-d", "topic", cwd=song)
        assert refused.code == 1
        assert "-D topic" in refused.err
        gone = cli("branch", "-D", "topic", "newer", cwd=song)
        assert gone.out.count("Deleted") == 2
        assert "muse undo" in gone.err
        assert cli("branch", "--show-current", cwd=song).out == "main\n"

    def test_json(self, cli: Cli, song: Path) -> None:
        """--json lists branches with their upstream and distance."""
        cli("branch", "-u", "topic", "main", cwd=song)
        data = cli("branch", "--json", cwd=song).json
        main = data["branches"][0]
        assert (main["name"], main["current"], main["upstream"]) == ("main", True, "topic")
        assert (main["ahead"], main["behind"]) == (1, 1)
        assert "[topic: ahead 1, behind 1]" in cli("branch", "-v", cwd=song).out

    def test_wrong_words(self, cli: Cli, song: Path) -> None:
        """Too many names, or too few, are usage errors."""
        for arguments in (("a", "b", "c"), ("-d",), ("-m",), ("-u", "topic", "a", "b")):
            assert cli("branch", *arguments, cwd=song).code == 2


class TestSwitchAndCheckout:
    def test_checkout_means_switch_or_restore(self, cli: Cli, song: Path) -> None:
        """Fingers that know git's word get what they mean."""
        assert "branch 'topic'" in cli("checkout", "topic", cwd=song).out
        assert "branch 'main'" in cli("checkout", "-", cwd=song).out
        assert "on no branch" in cli("checkout", "HEAD~1", cwd=song).out
        assert cli("checkout", "-b", "new", cwd=song).code == 0
        (song / "a").write_text("mine\n")
        assert cli("checkout", "--", "a", cwd=song).code == 0
        assert (song / "a").read_text() == "1\n"
        assert cli("checkout", "main", "--", "a", cwd=song).code == 0
        assert (song / "a").read_text() == "2\n"
        assert cli("checkout", "main", "a", cwd=song).code == 2
        assert cli("checkout", "nosuch", cwd=song).code == 4

    def test_json_and_already(self, cli: Cli, song: Path) -> None:
        """--json says from where to where; switching to where one is says so."""
        data = cli("switch", "--json", "topic", cwd=song).json
        assert (data["branch"], data["before"]["branch"]) == ("topic", "main")
        assert (data["files_written"], data["created"]) == (2, False)
        assert cli("switch", "topic", cwd=song).out == "Already on branch 'topic'.\n"

    def test_a_refusal_names_the_files(self, cli: Cli, song: Path) -> None:
        """Exit code 1, the files, and what to do; in JSON too."""
        (song / "src/b").write_text("mine\n")
        found = cli("switch", "topic", cwd=song)
        assert found.code == 1
        assert "src/b" in found.err
        assert "muse restore" in found.err
        assert cli("switch", "--json", "topic", cwd=song).json["exit_code"] == 1

    def test_wrong_words(self, cli: Cli, song: Path) -> None:
        """No name, or one too many, are usage errors."""
        assert cli("switch", cwd=song).code == 2
        assert cli("switch", "topic", "main", cwd=song).code == 2
        assert cli("switch", "HEAD~1", cwd=song).code == 2


class TestRestoreAndUndo:
    def test_the_way_back_is_said(self, cli: Cli, song: Path) -> None:
        """A discard says how to take it back, and that works."""
        (song / "a").write_text("precious\n")
        done = cli("restore", "a", cwd=song)
        assert done.out == "Restored a.\n"
        assert "muse undo" in done.err
        assert (song / "a").read_text() == "2\n"
        back = cli("undo", cwd=song)
        assert "put back: a" in back.out
        assert (song / "a").read_text() == "precious\n"
        assert cli("redo", cwd=song).code == 0
        assert (song / "a").read_text() == "2\n"

    def test_paths_are_relative_to_where_one_is(self, cli: Cli, song: Path) -> None:
        """In a folder, . is that folder."""
        (song / "a").write_text("x\n")
        (song / "src/b").write_text("x\n")
        assert cli("restore", ".", cwd=song / "src").out == "Restored src/b.\n"
        assert (song / "a").read_text() == "x\n"

    def test_staged_source_untracked(self, cli: Cli, song: Path) -> None:
        """The options do what their help says."""
        (song / "a").write_text("x\n")
        (song / "new").write_text("x\n")
        cli("add", "a", cwd=song)
        assert cli("restore", "--staged", "a", cwd=song).out == "Changed on the stage a.\n"
        assert cli("restore", "-s", "HEAD~1", "a", cwd=song).code == 0
        assert (song / "a").read_text() == "1\n"
        assert cli("restore", "new", cwd=song).code == 4
        assert cli("restore", "--untracked", "new", cwd=song).out == "Removed new.\n"
        assert cli("restore", "--json", "src/b", cwd=song).json["restored"] == []
        assert cli("restore", cwd=song).code == 2
        assert cli("restore", "--staged", "-u", "a", cwd=song).code == 2

    def test_undo_tells_what_it_did(self, cli: Cli, song: Path) -> None:
        """Which refs, HEAD and stage are where; the list shows what comes next."""
        listed = cli("undo", "--list", "--json", cwd=song).json["operations"]
        assert listed[0]["summary"] == "commit: second"
        assert listed[0]["state"] == "done"
        told = cli("undo", cwd=song)
        assert told.out.startswith("Took back: commit: second\n  main is at ")
        assert "muse redo" in told.err
        assert cli("undo", "--list", cwd=song).out.splitlines()[0].split()[1] == "undone"
        data = cli("redo", "--json", cwd=song).json
        assert data["operation"]["summary"] == "commit: second"
        assert cli("redo", cwd=song).code == 1


class TestTagAndReflog:
    def test_tags(self, cli: Cli, song: Path) -> None:
        """Light, annotated, listed by pattern, deleted."""
        assert cli("tag", "light", "HEAD~1", cwd=song).code == 0
        assert cli("tag", "-m", "First\n\nnotes", "v1", cwd=song).code == 0
        assert cli("tag", "v1", cwd=song).code == 1
        data = cli("tag", "--json", "-l", "v*", cwd=song).json["tags"]
        assert [(t["tag"], t["annotated"], t["subject"]) for t in data] == [("v1", True, "First")]
        assert "light" in cli("tag", cwd=song).out
        gone = cli("tag", "-d", "light", "v1", cwd=song)
        assert gone.out.count("Deleted") == 2
        assert cli("tag", "-d", "light", cwd=song).code == 4
        assert cli("tag", "-d", cwd=song).code == 2
        assert cli("tag", "-a", cwd=song).code == 2

    def test_reflog(self, cli: Cli, song: Path) -> None:
        """HEAD's moves, newest first, as names that other commands take."""
        lines = cli("reflog", cwd=song).out.splitlines()
        assert "HEAD@{0}" in lines[0]
        assert lines[0].endswith("commit: second")
        assert lines[1].endswith("checkout: moving from topic to main")
        data = cli("reflog", "--json", "topic", "-n", "1", cwd=song).json
        assert data["entries"][0]["message"] == "commit: on topic"
        assert cli("reflog", "nosuch", cwd=song).code == 4
        shown = cli("log", "--json", "-n", "1", "HEAD@{1}", cwd=song).json["commits"]
        assert shown[0]["subject"] == "first"
