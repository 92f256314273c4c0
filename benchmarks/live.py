"""Measure a running process: what it pays for one change. Prints JSON; see `rows_live`.

python -m benchmarks.live ROOT PATH REPEATS
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from muse.core.commits import Signature
from muse.core.repo import Repository, open_repo
from muse.ops.add import add
from muse.ops.commit import commit
from muse.ops.status import open_engine
from muse_tui.watcher import Watcher

DEADLINE_S = 30.0
_BETWEEN_S = 0.1


def _change(file: Path) -> None:
    with file.open("a") as out:
        out.write("# one line more\n")


def _refreshes(repo: Repository, name: str, repeats: int) -> dict[str, list[float]]:
    engine = open_engine(repo)
    engine.refresh_all()
    path = name.encode()
    walls: list[float] = []
    looked: list[float] = []
    for _ in range(repeats):
        _change(repo.root / name)
        before = engine.worktree.files.files_read
        start = time.perf_counter()
        engine.refresh_paths([path])
        walls.append((time.perf_counter() - start) * 1e3)
        looked.append(engine.worktree.files.files_read - before)
        assert engine.entry(path) is not None
    return {"refresh after 1 change": walls, "files looked at by that refresh": looked}


def _commits(repo: Repository, name: str, repeats: int) -> list[float]:
    walls: list[float] = []
    for _ in range(repeats):
        _change(repo.root / name)
        add(repo, [name.encode()])
        start = time.perf_counter()
        commit(repo, message="x", committer=Signature("Ada", "ada@example.com", int(time.time())))
        walls.append((time.perf_counter() - start) * 1e3)
    return walls


def _events(repo: Repository, name: str, repeats: int) -> list[float]:
    heard, live = threading.Event(), threading.Event()
    path = name.encode()
    watcher = Watcher(
        str(repo.root),
        lambda hint: heard.set() if path in hint.paths else None,
        lambda state, _reason: live.set() if state == "live" else None,
    )
    watcher.start()
    if not live.wait(DEADLINE_S):
        raise TimeoutError("the watcher does not come alive")
    walls: list[float] = []
    for _ in range(repeats):
        # One save, not one in the rest that follows a batch, where it would be answered later.
        time.sleep(_BETWEEN_S)
        heard.clear()
        start = time.perf_counter()
        _change(repo.root / name)
        if not heard.wait(DEADLINE_S):
            raise TimeoutError("no event")
        walls.append((time.perf_counter() - start) * 1e3)
    watcher.stop()
    return walls


def main() -> None:
    """Measure, and leave the tree clean."""
    root, name, repeats = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    repo = open_repo(root)
    found = _refreshes(repo, name, repeats)
    found["commit of 1 file in a running process"] = _commits(repo, name, repeats)
    found["file event → callback"] = _events(repo, name, repeats)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
