"""``muse verify`` and ``muse gc`` as people and programs see them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muse.core.object_store import ObjectStore
from muse.core.repo import open_repo
from muse.core.trash import TrashItem, encode_entry, entry_path, new_entry, read_trash
from muse.core.types import MODE_FILE, from_raw, raw_object_id
from tests.cli.conftest import Cli
from tests.core.repos import commit_files, stage_files

A = b"print('a')\n"
HOOK = b"\x1b[2Jevil\n.py"


@pytest.fixture
def filled(repo: Path) -> Path:
    """Commit two files and stage a third."""
    opened = open_repo(repo)
    commit_files(opened, {b"src/a.py": A, HOOK: b"evil\n"})
    stage_files(opened, {b"new": b"staged\n"})
    (repo / ".muse/journal/wal").unlink()
    return repo


def loose_path(root: Path, data: bytes) -> Path:
    """Return where a loose blob lies."""
    return Path(ObjectStore(root).loose_path(raw_object_id("blob", data)))


class TestVerify:
    """Exit code 0 for whole, 3 for damaged; the report says what it touches."""

    def test_whole(self, cli: Cli, filled: Path) -> None:
        """One line, and the counts as data."""
        done = cli("verify", cwd=filled)
        assert (done.code, done.err) == (0, "")
        assert "1 commit: all whole." in done.out
        data = cli("verify", "--json", cwd=filled).json
        assert data["whole"] is True
        assert data["findings"] == []
        assert data["objects"] == data["loose"] > 0

    def test_damaged(self, cli: Cli, filled: Path) -> None:
        """The object, who needs it, and the way out; nothing is changed."""
        path = loose_path(filled, A)
        path.unlink()
        done = cli("verify", cwd=filled)
        assert done.code == 3
        assert "needed by main → " in done.out
        assert "→ src/a.py" in done.out
        assert "hint: " in done.out
        data = cli("verify", "--json", cwd=filled).json
        (finding,) = data["findings"]
        assert (finding["kind"], finding["severity"]) == ("missing", "damage")
        assert finding["id"] == from_raw(raw_object_id("blob", A))
        assert finding["touches"][0]["path"] == "src/a.py"
        assert not path.exists()

    def test_control_characters_are_made_visible(self, cli: Cli, filled: Path) -> None:
        """A file name cannot reach the terminal raw through a finding (G17)."""
        loose_path(filled, b"evil\n").unlink()
        done = cli("verify", cwd=filled)
        assert done.code == 3
        assert "\x1b" not in done.out
        assert "evil\\n.py" in done.out

    def test_what_nothing_refers_to(self, cli: Cli, filled: Path) -> None:
        """It can be listed, so that what was lost sight of can be taken back."""
        raw = ObjectStore(filled).write("blob", b"lost")
        assert from_raw(raw) not in cli("verify", cwd=filled).out
        assert f"unreachable blob {from_raw(raw)}" in cli("verify", "--unreachable", cwd=filled).out
        data = cli("verify", "--unreachable", "--json", cwd=filled).json
        assert data["unreachable_ids"] == [{"id": from_raw(raw), "type": "blob"}]

    def test_one_path_and_one_revision(self, cli: Cli, filled: Path) -> None:
        """Only what was asked for is checked."""
        loose_path(filled, A).unlink()
        assert cli("verify", "--", "new", cwd=filled).code == 0
        assert cli("verify", "--", "src/a.py", cwd=filled).code == 3
        assert cli("verify", "HEAD", cwd=filled).code == 3
        assert cli("verify", "HEAD:src", "--", "new", cwd=filled).code == 3
        assert cli("verify", "--json", "HEAD:src", cwd=filled).json["objects"] == 2
        assert cli("verify", "nonsense", cwd=filled).code == 4
        assert cli("verify", "--", "nowhere", cwd=filled).code == 4


class TestGc:
    """What was done is said, in words and as data."""

    def test_pack_and_drop(self, cli: Cli, filled: Path) -> None:
        """Loose objects go into a pack, old garbage goes, the repository stays whole."""
        ObjectStore(filled).write("blob", b"garbage")
        os.utime(loose_path(filled, b"garbage"), (1e9, 1e9))
        foretold = cli("gc", "--dry-run", "--json", cwd=filled).json
        assert loose_path(filled, b"garbage").exists()
        done = cli("gc", "--json", cwd=filled)
        assert done.code == 0
        same = ("packed", "melted", "dropped", "kept", "loose_after", "packs_after")
        assert {k: foretold[k] for k in same} == {k: done.json[k] for k in same}
        assert (done.json["dropped"], done.json["loose_after"]) == (1, 0)
        assert cli("verify", cwd=filled).code == 0
        assert "Nothing to do" in cli("gc", cwd=filled).out

    @pytest.mark.parametrize(("expire", "dropped"), [("now", 1), ("never", 0), ("2 days ago", 0)])
    def test_expire(self, cli: Cli, filled: Path, expire: str, dropped: int) -> None:
        """The age at which garbage goes can be said as people say it."""
        ObjectStore(filled).write("blob", b"garbage")
        assert cli("gc", "--expire", expire, "--json", cwd=filled).json["dropped"] == dropped

    def test_old_trash_expires(self, cli: Cli, filled: Path) -> None:
        """What was discarded long ago is dropped, and then what only it named."""
        raw = ObjectStore(filled).write("blob", b"discarded")
        entries = [new_entry("restore", [TrashItem(b"f", (MODE_FILE, raw), None)])]
        entries.append(entries[0]._replace(id="0000000000001-aa", time_s=1.0))
        (filled / ".muse/trash").mkdir(exist_ok=True)
        for entry in entries:
            entry_path(filled, entry.id).write_bytes(encode_entry(entry))
        assert cli("gc", "--json", cwd=filled).json["expired"] == 1
        assert [e.id for e in read_trash(filled)] == [entries[0].id]
        assert ObjectStore(filled).is_whole(raw)

    def test_bad_expire(self, cli: Cli, filled: Path) -> None:
        """What is no moment is refused before anything happens."""
        assert cli("gc", "--expire", "5 parsecs", cwd=filled).code == 2

    def test_damage_is_told(self, cli: Cli, filled: Path) -> None:
        """A damaged object is left where it is, and named; why nothing is dropped is said."""
        path = loose_path(filled, A)
        path.chmod(0o644)
        path.write_bytes(b"blob 11\0print('b')\n")
        done = cli("gc", cwd=filled)
        assert done.code == 0
        assert "Left as it is" in done.err
        assert path.exists()
        (filled / ".muse/refs/heads/main").write_text("nonsense\n")
        assert "Nothing was dropped" in cli("gc", cwd=filled).err
