"""What a refresh costs the interface's event loop. Prints JSON; see `rows_interface`.

python -m benchmarks.loop FOLDER ROWS

The list holds ROWS rows; K of them change at once, and the thread of the event loop is charged
for all that follows: the lists, titles, faces, and painting.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from muse.ops.init import init
from muse_tui import messages
from muse_tui.app import MuseApp
from muse_tui.cli import settle_memory
from muse_tui.model import FileRow, Live, StatusDelta

CHANGED = (1, 100, 1_000, 10_000)
REPEATS = 9


def _row(number: int, added: int) -> FileRow:
    name = f"folder-{number % 97:02}/file-{number:06}.txt"
    return FileRow(name.encode(), name, "M", added=added, removed=1)


async def measure(folder: Path, rows: int) -> dict[str, list[float]]:
    """Return milliseconds of the event loop's thread for each number of changed rows."""
    init(folder / "r")
    app = MuseApp(folder / "r")
    found: dict[str, list[float]] = {}
    async with app.run_test(size=(120, 40)) as pilot:
        main = app.main
        while main.watch_view.live is not Live.LIVE or main.history_view is None:
            await pilot.pause(0.01)
        every = sorted(_row(number, 1) for number in range(rows))
        main.post_message(messages.StatusChanged(StatusDelta(reset=True, tree=tuple(every))))
        await pilot.pause()
        for changed in CHANGED:
            if changed > rows:
                continue
            took = []
            for turn in range(REPEATS):
                step = max(rows // changed, 1)
                some = [row._replace(added=turn + 2) for row in every[: changed * step : step]]
                delta = StatusDelta(tree=tuple(some[:changed]))
                await pilot.pause()
                quiet = time.thread_time()
                await pilot.pause()
                start = time.thread_time()
                main.post_message(messages.StatusChanged(delta))
                await pilot.pause()
                took.append((time.thread_time() - start - (start - quiet)) * 1e3)
            found[str(changed)] = took
    return found


if __name__ == "__main__":
    settle_memory()
    print(json.dumps(asyncio.run(measure(Path(sys.argv[1]), int(sys.argv[2])))))
