"""What durability costs inside one process: the same transactions at the levels full and none."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.rows import Figure, Row
from benchmarks.workshop import Workshop
from muse.core.commits import Signature
from muse.core.durability import FULL, NONE
from muse.core.repo import Repository, open_repo
from muse.core.types import from_raw
from muse.ops.init import init
from muse.ops.settings import set_setting

_WHO = Signature("Ada", "ada@example.com", 1700000000)
_REF = "refs/tags/bench"
_COMMITS = 200
_BULK_OBJECTS = 10_000
_BULK_BYTES = 1024
_REFS = 200
_numbers = itertools.count()


def rows(workshop: Workshop) -> Iterator[Row]:
    """In this process, both levels in turn, so that they see the same weather."""
    repos = {level: _make(workshop.folder(f"durable-{level}"), level) for level in (FULL, NONE)}
    small: dict[str, list[float]] = {level: [] for level in repos}
    for _ in range(_COMMITS):
        for level, repo in repos.items():
            small[level].append(_time_ms(repo, objects=4, size=100))
    full, none = (median(small[level]) for level in (FULL, NONE))
    note = f"{full:.2f} ms against {none:.2f} ms"
    yield Figure("durable commit of 4 objects, above unsynced", full - none, "ms", bar=1, note=note)
    bulk: dict[str, list[float]] = {level: [] for level in repos}
    for _ in range(max(3, workshop.runs)):
        for level, repo in repos.items():
            bulk[level].append(_time_ms(repo, objects=_BULK_OBJECTS, size=_BULK_BYTES))
    full, none = (median(bulk[level]) for level in (FULL, NONE))
    note = f"{full:.0f} ms against {none:.0f} ms"
    title = "durable transaction of 10 000 objects, by unsynced"
    yield Figure(title, full / none, "×", bar=1.2, note=note)
    for level, repo in repos.items():
        yield from _swaps(repo, level)


def _make(root: Path, level: str) -> Repository:
    init(root)
    set_setting(open_repo(root), "core.durability", level)
    return open_repo(root)


def _time_ms(repo: Repository, *, objects: int, size: int) -> float:
    """Time one transaction that writes objects which are new, and moves a ref to the last."""
    payloads = [b"%d %b" % (next(_numbers), os.urandom(size)) for _ in range(objects)]
    start = time.perf_counter()
    with repo.transaction("bench", who=_WHO) as tx:
        raws = [tx.write_object("blob", payload) for payload in payloads]
        tx.set_ref(_REF, from_raw(raws[-1]), old=repo.refs.read(_REF), log="bench")
    return (time.perf_counter() - start) * 1e3


def _swaps(repo: Repository, level: str) -> Iterator[Row]:
    """Count compare-and-swaps a second: each a transaction of its own, and many in one."""
    with repo.transaction("bench", who=_WHO) as tx:
        ids = [from_raw(tx.write_object("blob", data)) for data in (b"one", b"other")]
        for number in range(_REFS):
            tx.set_ref(f"{_REF}-{number}", ids[0], old=None, log="bench")
    old, new = ids
    start = time.perf_counter()
    for number in range(_REFS):
        with repo.transaction("bench", who=_WHO) as tx:
            tx.set_ref(f"{_REF}-{number}", new, old=old, log="bench")
    alone = _REFS / (time.perf_counter() - start)
    rounds = 10
    start = time.perf_counter()
    for _ in range(rounds):
        old, new = new, old
        with repo.transaction("bench", who=_WHO) as tx:
            for number in range(_REFS):
                tx.set_ref(f"{_REF}-{number}", new, old=old, log="bench")
    together = rounds * _REFS / (time.perf_counter() - start)
    title = f"compare-and-swaps a second, {level}"
    yield Figure(f"{title}, one a transaction", alone, "/s", at_least=True)
    yield Figure(f"{title}, {_REFS} a transaction", together, "/s", bar=5000, at_least=True)
