"""`make demo`: a repository with a past, work in progress and the traces of a crash.

    python -m benchmarks.demo FOLDER

Builds it in FOLDER when it is not there yet, then opens `muse-tui` on it; where there is no
terminal it prints status, log and health instead.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.trees import content

MUSE = str(Path(sys.executable).with_name("muse"))
DAY_S = 86_400
PEOPLE = (("Ada Lovelace", "ada@example.com"), ("Grace Hopper", "grace@example.com"))
# Name → text, bytes, or the seed of an invented text.
Files = Mapping[str, str | bytes | int]
HISTORY: tuple[tuple[str, Files], ...] = (
    ("Start the player", {"README.md": "# Song\n\nA small music player.\n", "src/player.py": 1}),
    ("Read playlists", {"src/playlist.py": 2, "tests/test_playlist.py": 3}),
    ("Keep the database open between songs", {"src/db/pool.py": 4}),
    ("Ask for a password", {"src/auth.py": 5, "docs/auth.md": "Passwords are hashed.\n"}),
    ("Draw the waveform", {"src/wave.py": 6, "assets/logo.bin": bytes(range(256)) * 8}),
    ("Fix the pool's leak when a song is skipped", {"src/db/pool.py": 7}),
    ("Write down how to install", {"docs/install.md": "pip install song\n"}),
    ("Test the pool", {"tests/test_pool.py": 8}),
)
TOPIC: tuple[tuple[str, Files], ...] = (
    ("Add an audit trail", {"src/audit.py": 9}),
    ("Ask the audit trail before a login", {"src/auth.py": 10}),
)

# A writer of an older version: it names its temps, and it dies before it could finish.
_VICTIM = """
import os, sys, time
from pathlib import Path
muse = Path(sys.argv[1])
for folder, name in (("refs", ".muse-tmp-k3x81q"), ("cache", ".stat_cache_9a7b.tmp")):
    (muse / folder / name).write_bytes(os.urandom(20_000))
shard = next((muse / "objects/sha256").iterdir(), muse / "objects/sha256/ab")
shard.mkdir(exist_ok=True)
(shard / ".obj-tmp-7fq0zz").write_bytes(os.urandom(40_000))
print("ready", flush=True)
time.sleep(60)
"""


def _muse(root: Path, *arguments: str, day: int = 0, who: int = 0) -> None:
    date = f"{int(time.time()) - (len(HISTORY) + 3 - day) * DAY_S} +0000"
    name, email = PEOPLE[who % 2]
    env = os.environ | {
        f"MUSE_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", name), ("EMAIL", email), ("DATE", date))
    }
    env.pop("MUSE_REPO_ROOT", None)
    subprocess.run(
        [MUSE, *arguments],
        cwd=root,
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _write(root: Path, files: Files) -> None:
    for name, value in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, int):
            path.write_bytes(content(random.Random(value)))
        else:
            path.write_bytes(value.encode() if isinstance(value, str) else value)


def _commit(root: Path, subject: str, files: Files, day: int) -> None:
    _write(root, files)
    _muse(root, "add", ".")
    _muse(root, "commit", "-m", subject, day=day, who=day)


def build(root: Path) -> None:
    """Build the repository, its remote beside it, and the work in progress."""
    root.mkdir(parents=True)
    _muse(root, "init")
    _muse(root, "config", "user.name", PEOPLE[0][0])
    _muse(root, "config", "user.email", PEOPLE[0][1])
    for day, (subject, files) in enumerate(HISTORY[:5]):
        _commit(root, subject, files, day)
    _muse(root, "tag", "v1.0")
    remote = root.parent / (root.name + "-remote")
    _muse(root, "init", "--bare", str(remote))
    _muse(root, "remote", "add", "origin", str(remote))
    _muse(root, "push", "-u", "origin", "main")
    for day, (subject, files) in enumerate(HISTORY[5:], start=5):
        _commit(root, subject, files, day)
    _muse(root, "switch", "-c", "audit", "HEAD~2")
    for day, (subject, files) in enumerate(TOPIC, start=8):
        _commit(root, subject, files, day)
    _muse(root, "switch", "main")
    _work_in_progress(root)


def _work_in_progress(root: Path) -> None:
    player = root / "src/player.py"
    lines = player.read_text().splitlines(keepends=True)
    lines[2:4] = ["        self.volume = clamp(volume, 0, 11)\n"]
    player.write_text("".join(lines))
    _write(root, {"src/mixer.py": 11, "notes/ideas.md": "- crossfade\n- lyrics\n"})
    _muse(root, "add", "src/player.py", "src/mixer.py")
    lines.insert(10, "        # louder than ten\n")
    player.write_text("".join(lines))
    pool = root / "src/db/pool.py"
    pool.write_text(pool.read_text().replace("return", "return  # checked", 1))
    (root / "docs/install.md").unlink()


def _crash(root: Path) -> None:
    """Leave what a killed process leaves, by killing one."""
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, str(root / ".muse")], stdout=subprocess.PIPE
    )
    assert victim.stdout is not None
    victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    victim.wait()


def main() -> int:
    """Build the demo when it is missing, and open it."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".demo").resolve() / "song"
    if not root.exists():
        build_in = root.with_name("building")
        shutil.rmtree(root.parent, ignore_errors=True)
        build(build_in)
        build_in.rename(root)
        (root.parent / "building-remote").rename(root.parent / "song-remote")
        _muse(root, "remote", "set-url", "origin", str(root.parent / "song-remote"))
        # Last, so that whatever is opened next is the first to meet what it left.
        _crash(root)
    interface = Path(sys.executable).with_name("muse-tui")
    if sys.stdin.isatty() and sys.stdout.isatty() and interface.exists():
        os.execv(interface, [str(interface), str(root)])  # noqa: S606  # our own program
    for arguments in (["status"], ["log", "--oneline", "--graph", "--all", "-n", "12"], ["health"]):
        print(f"$ muse {' '.join(arguments)}", flush=True)
        subprocess.run([MUSE, *arguments], cwd=root, check=True)
        print(flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
