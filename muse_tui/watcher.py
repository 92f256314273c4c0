"""Hints that something changed on disk, and a sense for when hints cannot be trusted.

watchfiles drops events without a word when the kernel's queue overflows, and misses what is in
folders that were copied or moved in. So a hint is never the truth, only a place to look:

* a path → look at it;
* a folder that appeared → look at everything below it, and once more a moment later, when its
  own watches are in place;
* a large batch, a late reader, a machine that slept → reconcile: look at everything;
* no watches left → poll, and say so;
* now and then, without any hint → a quiet sweep over everything.

Of ``.muse`` only what says "another command was here" counts: HEAD, refs, stage, settings, shelves.
Objects, caches, locks, jobs, drafts and temps never do, so our own writes do not feed back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from muse_tui.bell import Bell
from muse_tui.looks import Looks

BATCH_LIMIT = 2_000
LATE_S = 3.0
AGAIN_S = 0.35
TURN_S = 1.0
# The step is how long a quiet moment is, and how often it is looked whether one has come. Without
# a bell one has to look all the time: 10 ms would cost 0.5 % CPU.
_STEP_MS = 20
# With one it is looked for some steps now and then, and, when it has rung, for longer than a batch
# may grow: one that a look ended in the middle of begins anew.
_BELL_STEP_MS, _BELL_LOOKS_S = 5, (0.02, 0.3)
# What comes right after a batch is answered together.
_REST_S = 0.02
_META = ("HEAD", "code/stage.msgpack", "config.toml")


class Hint(NamedTuple):
    """Where to look.

    Attributes:
        paths: Repository paths that were written, created or removed.
        folders: Folders of which everything below must be looked at.
        meta: What changed in ``.muse``: ``head``, ``refs``, ``stage``, ``config``.
        reconcile: Why everything must be looked at, or empty.
        seen_s: When the first event of the batch was seen (monotonic seconds).
    """

    paths: frozenset[bytes] = frozenset()
    folders: frozenset[bytes] = frozenset()
    meta: frozenset[str] = frozenset()
    reconcile: str = ""
    seen_s: float = 0.0

    def __bool__(self) -> bool:
        """Tell whether there is anything to look at."""
        return bool(self.paths or self.folders or self.meta or self.reconcile)


def _nothing(_name: str) -> bool:
    return False


def sort_events(
    events: Iterable[tuple[int, str]],
    root: str,
    *,
    seen_s: float,
    is_temp: Callable[[str], bool] = _nothing,
) -> Hint:
    """Turn raw events into a hint.

    Args:
        events: (1 added, 2 modified, 3 deleted; absolute path).
        root: The repository's folder, as the watcher was given it.
        seen_s: When they were seen.
        is_temp: Tells the name of a file that is being written and will be renamed.
    """
    base = root.rstrip("/") + "/"
    paths: set[bytes] = set()
    folders: set[bytes] = set()
    meta: set[str] = set()
    count = 0
    for change, full in events:
        if not full.startswith(base):
            continue
        relative = full[len(base) :]
        if relative.startswith(".muse/") or relative == ".muse":
            kind = _meta_kind(relative[6:])
            if kind:
                meta.add(kind)
            continue
        if "/.git/" in f"/{relative}/" or is_temp(relative.rpartition("/")[2]):
            continue
        count += 1
        path = os.fsencode(relative)
        if change == 1 and os.path.isdir(full) and not os.path.islink(full):
            folders.add(path)
        else:
            paths.add(path)
    reason = f"{count} events at once" if count > BATCH_LIMIT else ""
    return Hint(frozenset(paths), frozenset(folders), frozenset(meta), reason, seen_s)


def _meta_kind(name: str) -> str:
    if name == "HEAD":
        return "head"
    if name == "code/stage.msgpack":
        return "stage"
    if name == "config.toml":
        return "config"
    if name.startswith("refs/"):
        return "refs"
    return ""


class Watcher:
    """Watches a working tree in a thread of its own and passes hints on.

    Args:
        root: The repository's folder.
        hear: Called from the watcher's thread with each hint.
        tell: Called from that thread with ``live`` (all that happens from now on is told),
            ``polling`` or ``stopped``, and a reason.
        is_temp: As in `sort_events`.
        poll_s: How often everything is looked at when there are no watches.
        sweep_s: How often everything is looked at without any reason.
    """

    def __init__(
        self,
        root: str,
        hear: Callable[[Hint], None],
        tell: Callable[[str, str], None],
        *,
        is_temp: Callable[[str], bool] = _nothing,
        poll_s: float = 2.0,
        sweep_s: float = 90.0,
    ) -> None:
        self._is_temp = is_temp
        self._root, self._hear, self._tell = root, hear, tell
        self.poll_s, self.sweep_s = poll_s, sweep_s
        self.bell = Bell()
        self._stop = threading.Event()
        self._again: dict[bytes, float] = {}
        self._thread = threading.Thread(target=self.run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; returns at once."""
        self._stop.set()

    def run(self) -> None:
        """Watch, on this thread, until `stop` is called."""
        while not self._stop.is_set():
            try:
                self._watch()
            except FileNotFoundError:
                self._tell("stopped", "the folder is gone")
                self._stop.wait(self.poll_s)
            except (OSError, RuntimeError) as error:
                self._poll(_reason(error))

    def _watch(self) -> None:
        turns = self._turns()
        next(turns)
        # From here on nothing is missed; what came before is for whoever hears this to look at.
        self._tell("live", "")
        last_turn = last_sweep = time.monotonic()
        for events in turns:
            now = time.monotonic()
            pairs = ((int(change), path) for change, path in events)
            hint = sort_events(pairs, self._root, seen_s=now, is_temp=self._is_temp)
            late = now - last_turn > LATE_S
            if late and not hint.reconcile:
                hint = hint._replace(reconcile="the watcher was late", seen_s=now)
            elif not hint and now - last_sweep > self.sweep_s:
                hint = Hint(reconcile="sweep", seen_s=now)
            hint = self._with_second_looks(hint, now)
            if hint:
                if hint.reconcile:
                    last_sweep = now
                self._hear(hint)
            last_turn = time.monotonic()

    def _turns(self) -> Iterator[set[tuple[int, str]]]:
        """Yield events as soon as a quiet moment follows them, and nothing now and then.

        The first time nothing, as soon as the watches are set up.
        """
        looks = Looks(self._root, self._stop)
        try:
            has_bell = self.bell.hang()
            yield set()
            if has_bell:
                yield from self._turns_by_bell(looks)
            while not self._stop.is_set():
                yield looks.take(step_ms=_STEP_MS, within_s=TURN_S)
        finally:
            looks.close()

    def _turns_by_bell(self, looks: Looks) -> Iterator[set[tuple[int, str]]]:
        rang = True  # before it hung, perhaps
        while not self._stop.is_set():
            # Also when it did not ring: on a busy machine watchfiles may have been late to collect.
            events = looks.take(step_ms=_BELL_STEP_MS, within_s=_BELL_LOOKS_S[rang])
            yield events
            if events:
                self._stop.wait(_REST_S)
            rang = self.bell.wait(AGAIN_S if self._again else TURN_S)

    def _with_second_looks(self, hint: Hint, now: float) -> Hint:
        """Add the folders whose second look is due; remember the new ones."""
        due = {path for path, at in self._again.items() if at <= now}
        for path in due:
            del self._again[path]
        for path in hint.folders:
            self._again[path] = now + AGAIN_S
        if not due:
            return hint
        return hint._replace(folders=hint.folders | due, seen_s=hint.seen_s or now)

    def _poll(self, reason: str) -> None:
        """Look at everything again and again; try for watches every minute."""
        self._tell("polling", reason)
        until = time.monotonic() + 60.0
        while time.monotonic() < until and not self._stop.wait(self.poll_s):
            self._hear(Hint(reconcile="poll", seen_s=time.monotonic()))


def _reason(error: Exception) -> str:
    text = str(error)
    if "limit" in text.lower() or "no space" in text.lower():
        return "out of file watches (fs.inotify.max_user_watches)"
    return text[:120]
