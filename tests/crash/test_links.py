"""Commands that place symlinks, killed at every call: no temp stays among the files (G3, G5, G6).

A link has no nameless form and cannot be locked, so it is renamed from `.muse/tmp` like a file
without that form, and the sweep asks for the write lock before it takes one away.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from muse.core import temps
from muse.core.io import replace_link
from muse.core.paths import muse_dir
from tests.crash import oracle
from tests.crash.harness import DONE, KILLED, every_fault

pytestmark = [pytest.mark.crash, pytest.mark.slow]

TOPIC: dict[str, str] = {"a": "-> one", "d/b": "-> ../x", "d/c": "a file", "e": "-> gone"}
MAIN: dict[str, str] = {"a": "-> two", "d/b": "a file", "d/c": "-> e", "e": "-> other", "f": "-> a"}


def ok(root: Path, *words: str) -> str:
    """Run a command that must succeed."""
    code, text = oracle.run(root, *words)
    assert code == 0, (words, text)
    return text


def write(root: Path, tree: dict[str, str]) -> None:
    """Make the working tree these files, and links where the text is an arrow."""
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


def read(root: Path) -> dict[str, str]:
    """Return every file and link of the working tree, temps too."""
    found = {}
    for base, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".muse"]
        for name in names:
            path = Path(base, name)
            text = f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text()
            found[path.relative_to(root).as_posix()] = text
    return found


def left_temps(root: Path) -> list[str]:
    """Return the temps anywhere in a repository and its working tree."""
    names = (name for _, folders, files in os.walk(root) for name in (*folders, *files))
    return [name for name in names if temps.family_of(name) is not None]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Make a repository on `topic`, with a branch `main` on which every link is another."""
    root = tmp_path / "base"
    root.mkdir()
    ok(root, "init")
    write(root, TOPIC)
    ok(root, "commit", "-m", "topic")
    ok(root, "branch", "topic")
    write(root, MAIN)
    ok(root, "commit", "-m", "main")
    ok(root, "switch", "topic")
    assert read(root) == TOPIC
    return root


@pytest.mark.parametrize(
    "words", [("switch", "main"), ("restore", "--source", "main", ".")], ids=["switch", "restore"]
)
def test_killed_at_every_call(base: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Each file is old or new; the next command removes the temp, and the same one finishes."""
    work, deaths, temps_met = tmp_path / "work", 0, 0

    def give(root: Path) -> None:
        ok(root, *words)

    for number, outcome in every_fault(base, work, give):
        found = read(work)
        for name in found:
            assert found[name] in {TOPIC.get(name), MAIN.get(name)}, f"{name} at {number}"
        temps_met += any(map(os.path.islink, (muse_dir(work) / "tmp").iterdir()))
        if outcome == KILLED:
            deaths += 1
            ok(work, "status")
            assert left_temps(work) == [], f"killed at call {number}"
            ok(work, *words)
        assert {name: read(work)[name] for name in MAIN} == MAIN, f"killed at call {number}"
        assert outcome in {KILLED, DONE}
    assert deaths > 20
    assert temps_met, "no death left a link"


def test_where_the_folder_is_on_another_file_system(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the temp lies beside the link, and whoever next writes there removes it."""
    real = os.replace

    def replace(source: bytes, dest: bytes, **at: int | None) -> None:
        if os.path.isabs(source) and os.path.islink(source):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, dest, **at)

    monkeypatch.setattr(os, "replace", replace)
    work, met = tmp_path / "work", 0
    for number, outcome in every_fault(base, work, lambda root: void(ok(root, "switch", "main"))):
        met += any(name.startswith(temps.RESTORE.prefix) for name in read(work))
        if outcome == KILLED:
            ok(work, "switch", "main")
        assert left_temps(work) == [], f"killed at call {number}"
        assert read(work) == MAIN
    assert met, "no death left a temp among the files"


def test_what_refuses_the_link_leaves_no_temp(tmp_path: Path) -> None:
    """A folder in the place of the link is an error, and nothing is left of the attempt."""
    place, swept = tmp_path / "place", tmp_path / "tmp"
    swept.mkdir()
    (place / "name/full").mkdir(parents=True)
    fd = os.open(place, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Is a directory"):
            replace_link(b"x", b"name", folder_fd=fd, family=temps.RESTORE, name_dir=swept)
    finally:
        os.close(fd)
    assert left_temps(tmp_path) == []


def void(_: object) -> None:
    """Take a value, and give none."""
