"""What an address holds besides the place (a password, a token) is in one file and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muse.core.refs import HEADS
from tests.crash import oracle
from tests.remotes.repositories import add_commit, files_of, make_repo, settle

SECRET = "s3cr3t-tok3n"


class World:
    """A hub that is reached by an address with a secret, and all that was ever said."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.hub = make_repo(base / "hub", bare=True)
        add_commit(self.hub, files_of(60))
        add_commit(self.hub, files_of(61))
        self.url = (base / "hub").as_uri() + f"?token={SECRET}"
        self.said: list[str] = []

    def run(self, folder: str, *words: str, code: int | None = 0) -> str:
        """Run a command; None takes any exit code."""
        got, text = oracle.run(self.base / folder, *words)
        assert code is None or got == code, text
        self.said.append(text)
        return text

    def leaks(self) -> list[str]:
        """Return every file and output that has the secret, but for the settings."""
        found = [text for text in self.said if SECRET in text]
        for path in self.base.rglob("*"):
            kept = path.is_file() and path.name != "config.toml"
            if kept and (SECRET.encode() in path.read_bytes() or SECRET in path.name):
                found.append(str(path))
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A clone named ``mine``, and another one to be in the way."""
    world = World(tmp_path)
    world.run(".", "clone", world.url, "mine")
    world.run(".", "clone", "--json", "--depth", "1", world.url, "other")
    return world


def test_a_day_with_a_secret_address_leaks_nothing(world: World) -> None:
    """Outputs, errors, reflogs, operations, journal, ledger, both sides: none has it."""
    mine = world.base / "mine"
    (mine / "new").write_text("1")
    world.run("mine", "add", "new")
    world.run("mine", "commit", "-m", "new")
    for words in (
        ["push"], ["fetch"], ["fetch", "--prune", "--tags"], ["pull"], ["remote", "-v"],
        ["remote", "show", "origin"], ["push", "origin", "main:topic"],
        ["push", "--delete", "origin", "topic"], ["fetch", world.url], ["push", world.url, "main"],
        ["pull", world.url, "main"], ["status"], ["log", "--all"], ["reflog"], ["undo", "--list"],
        ["health"], ["verify"], ["gc"], ["doctor"],
    ):  # fmt: skip
        world.run("mine", *words)
        # Some cannot be done twice: an error that is JSON is looked through as well.
        world.run("mine", *words, "--json", code=None)
    world.run("other", "fetch", "--unshallow")
    assert world.leaks() == []
    assert SECRET in (mine / ".muse/config.toml").read_text()


def test_errors_do_not_tell_it(world: World) -> None:
    """A refusal, a race, a place that is gone, a medium that nobody speaks, damage."""
    add_commit(world.hub, {b"theirs": b"1"})
    (world.base / "mine/new").write_text("1")
    world.run("mine", "add", "new")
    world.run("mine", "commit", "-m", "new")
    for words in (["push"], ["pull"], ["push", world.url, "main"]):
        world.run("mine", *words, code=1)
        world.run("mine", *words, "--json", code=1)
    world.run("mine", "pull", world.url, "nowhere", code=4)
    world.run("mine", "push", "--delete", world.url, "nowhere", code=4)
    for scheme in ("https", "gopher", "ftp"):
        url = f"{scheme}://me:{SECRET}@example.invalid/x?token={SECRET}"
        world.run("mine", "fetch", url, code=5)
        world.run(".", "clone", url, "third", code=5)
    world.run("mine", "clone", f"file://host{SECRET}@/x", "y", code=None)
    settle(world.hub)
    world.hub.refs.path(HEADS + "main").write_text("nonsense\n")
    world.run("mine", "fetch", code=5)
    (world.base / "hub").rename(world.base / "gone")
    for words in (["fetch"], ["push"], ["pull"], ["remote", "show", "origin"]):
        world.run("mine", *words, code=5)
    said = json.loads(world.run("mine", "fetch", "--json", code=5))
    assert "hub" in said["error"]
    assert [each for each in world.leaks() if "file://host" not in each] == []


def test_an_unfinished_clone_does_not_hold_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark of a half-made clone says where it comes from, without the secret."""

    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("muse.ops.clone._start_at", die)
        text = world.run(".", "clone", world.url, "half", code=130)
    assert "same command again" in text
    assert (world.base / "half/.muse/clone.json").exists()
    world.run("half", "status", code=2)
    assert world.leaks() == []
    world.run(".", "clone", world.url, "half")
