"""Every command that writes to one repository, and the one that it starts from.

Kills, errors, real power cuts and all states that a cut may leave take their commands from here.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.crash.setups import (
    Setup,
    big,
    branches,
    cut_commit,
    cut_rename,
    damaged,
    deleted,
    discarded,
    empty,
    followed,
    full_journal,
    garbage,
    many,
    plain,
    staged,
    tagged,
    temps_left,
    unborn,
    undone,
    with_files,
    with_remote,
)


class Command(NamedTuple):
    """One command and what is special about it.

    Attributes:
        setup: Makes the repository in a folder that does not exist yet.
        line: The command; no word of it has a space.
        states: A power cut leaves at least so many distinct states; 0 where none are explored.
        repo: Where the repository is, below that folder.
        again: One that was cut short is given again, and must then succeed.
        parts: It reports one thing for each of several steps, and a death between two of these
            leaves what is neither before nor after; each is whole all the same.
        slow: It handles many files, so few of its calls are tried.
    """

    setup: Setup
    line: str
    states: int
    repo: str = "."
    again: bool = False
    parts: bool = False
    slow: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The command's words."""
        return tuple(self.line.split())


COMMANDS: dict[str, Command] = {
    "init": Command(empty, "init", states=160, again=True),
    "init bare": Command(empty, "init --bare hub", states=150, repo="hub", again=True),
    "add": Command(plain, "add .", states=190),
    "add 50": Command(many, "add .", states=110, slow=True),
    "add big": Command(big, "add .", states=200),
    "first commit": Command(unborn, "commit -m x", states=290),
    "commit 1": Command(staged, "commit -m x", states=170),
    "commit all": Command(plain, "commit -m x", states=290),
    "commit 50": Command(many, "commit -m x", states=140, slow=True),
    # Its states are those of fifty files, and each takes as long as twenty of them.
    "commit 1000": Command(with_files(1000), "commit -m x", states=0, slow=True),
    "amend": Command(staged, "commit --amend -m x", states=170),
    "reset": Command(staged, "reset", states=23),
    "rm": Command(plain, "rm src/m1.py", states=160),
    "mv": Command(plain, "mv src/m1.py moved.py", states=160),
    "config": Command(plain, "config user.name B", states=10),
    "config unset": Command(with_remote, "config unset remote.origin.url", states=10),
    "remote add": Command(branches, "remote add origin /nonexistent/hub", states=10),
    "remote rename": Command(with_remote, "remote rename origin far", states=10),
    "remote remove": Command(with_remote, "remote remove origin", states=10),
    "remote rename, fetched": Command(followed, "remote rename origin far", states=400),
    "remote remove, fetched": Command(followed, "remote remove origin", states=150),
    "branch rename, following": Command(followed, "branch -m topic other", states=180),
    "branch delete, following": Command(followed, "branch -D topic", states=60),
    "undo delete, following": Command(deleted, "undo", states=100),
    "branch create": Command(branches, "branch other", states=50),
    "branch move": Command(branches, "branch -f topic main", states=40),
    "branch rename": Command(branches, "branch -m topic topic/sub", states=80),
    "branch rename here": Command(branches, "branch -m main trunk", states=130),
    "branch delete": Command(branches, "branch -D topic", states=30),
    "switch": Command(branches, "switch topic", states=210, again=True),
    "switch create": Command(branches, "switch -c new", states=100, again=True),
    "switch detach": Command(branches, "switch --detach HEAD~1", states=140, again=True),
    "restore": Command(plain, "restore src/m0.py", states=120),
    "restore staged": Command(staged, "restore --staged src/m0.py", states=60),
    "restore source": Command(branches, "restore --source HEAD~2 src", states=80),
    "tag": Command(branches, "tag v1", states=60),
    "tag annotated": Command(branches, "tag -a v1 -m first", states=90),
    "tag delete": Command(tagged, "tag -d v1", states=30),
    "undo commit": Command(branches, "undo", states=50),
    "undo restore": Command(discarded, "undo", states=25),
    "redo": Command(undone, "redo", states=50),
    "gc": Command(branches, "gc", states=60),
    "gc all": Command(garbage, "gc --all --expire now", states=50, slow=True),
    "verify": Command(branches, "verify", states=1),
    # What it starts from is damaged, which no judge of a power cut lets pass.
    "doctor": Command(damaged, "doctor --fix", states=0, parts=True, slow=True),
    "checkpoint": Command(full_journal, "tag one-more", states=40),
    "sweep": Command(temps_left, "status", states=20),
    "recovery": Command(cut_commit, "status", states=180),
    "recovery of a rename": Command(cut_rename, "status", states=80),
}
