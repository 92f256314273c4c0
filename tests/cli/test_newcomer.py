"""A day with every command, as text and as JSON."""

from __future__ import annotations

from pathlib import Path

from muse.cli.registry import VERBS
from tests.cli.conftest import Cli

# One line each; "cd" goes elsewhere, ">" writes a file.
DAY = """\
init --bare hub
init song
cd song
> a.txt one
> docs/b.txt two
status
add a.txt
reset a.txt
add -A
diff --staged
commit -m First
config core.gitignore true
branch topic
switch topic
> a.txt three
diff
restore a.txt
undo
redo
undo
commit -a -m Second
checkout main
tag v1
mv a.txt c.txt
rm docs/b.txt
commit -m Third
log --graph
show
reflog
rev-parse HEAD
cat-object -p HEAD
hash-object c.txt
ls-tree -r
remote add origin ../hub
push -u origin main
fetch
pull
clone ../hub ../copy
bridge git-export ../git
verify
gc
health
doctor
selftest
completions bash
help
"""


def _run_day(cli: Cli, here: Path, *extra: str) -> None:
    seen = set()
    for line in DAY.splitlines():
        verb, *words = line.split()
        if verb == "cd":
            here /= words[0]
            continue
        if verb == ">":
            path = here / words[0]
            path.parent.mkdir(exist_ok=True)
            path.write_text(words[1] + "\n", "utf-8")
            continue
        seen.add(verb)
        outcome = cli(verb, *words, *extra, cwd=here)
        assert outcome.code == 0, (line, outcome)
        assert "\x1b" not in outcome.out + outcome.err, line
        assert "error:" not in outcome.err, (line, outcome)
        if extra:
            assert outcome.json or verb == "config", line
            assert outcome.err == "", (line, outcome)
        else:
            assert outcome.out == "" or outcome.out.endswith("\n"), line
    # One opens a terminal, the other answers a program.
    assert seen == set(VERBS) - {"tui", "serve"}


def test_as_text(cli: Cli, tmp_path: Path) -> None:
    """Every command works in turn, exits 0 and paints nothing in a pipe."""
    _run_day(cli, tmp_path)


def test_as_json(cli: Cli, tmp_path: Path) -> None:
    """With --json every command answers one object, stderr is silent, and any folder will do."""
    folder = tmp_path / "-dash, spa ce, '\"ümläut"
    folder.mkdir()
    _run_day(cli, folder, "--json")
