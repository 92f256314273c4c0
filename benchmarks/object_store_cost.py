"""What pushes and clones cost in an object store, in requests and bytes, as more people push.

python -m benchmarks.object_store_cost

Two tables. The first counts what the real code does: real pushes, fetches and clones of a real
repository, over a store whose every request is counted. The second is a simulation in time of many
pushers at one document. Its document, its merges, its marks and its pauses are the real code's;
only the network is a model: a request takes `LATENCY_S` and what its bytes need. What it says of
one pusher alone must agree with the first table, and is compared with it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import random
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles

from muse.core.commits import Commit, Signature, format_commit
from muse.core.refs import HEADS
from muse.core.repo import open_repo
from muse.core.trees import TreeEntry, format_tree
from muse.core.types import MODE_FILE, ObjectId, RawId, from_raw, to_raw
from muse.ops.init import init
from muse.remotes.bucket import Bucket, Listed, Stored, Version
from muse.remotes.bucket_folder import FolderBucket
from muse.remotes.protocol import RefUpdate
from muse.remotes.records import iter_records
from muse.remotes.store import StoreRemote
from muse.remotes.store_document import Document, PackEntry, new_mark
from muse.remotes.store_merge import GoneError, choose_small, is_due, swap_packs
from muse.remotes.store_update import FIRST_PAUSE_S, LONGEST_PAUSE_S
from muse.remotes.transfer import bring_offered
from muse.remotes.walk import NewObjects

# A bucket in the same region, and one connection's share of a line.
LATENCY_S = 0.05
BYTES_PER_S = 50e6
# A commit that changes a few files, with its index.
PUSH_BYTES = 8_000
PUSH_OBJECTS = 6
# What merging packs reads and writes at a time.
PARALLEL = 4
WHO = Signature("Ada", "ada@example.com", 1_700_000_000, "+0000")


@dataclass
class Count:
    """Requests and bytes."""

    requests: int = 0
    up: int = 0
    down: int = 0

    def __sub__(self, other: Count) -> Count:
        return Count(self.requests - other.requests, self.up - other.up, self.down - other.down)


class CountingBucket:
    """A bucket that counts what passes through it."""

    def __init__(self, inner: Bucket) -> None:
        self._inner = inner
        self.shown, self.fingerprint = inner.shown, inner.fingerprint
        self.count = Count()

    def get(self, name: str, *, limit: int) -> Stored | None:
        found = self._inner.get(name, limit=limit)
        self._add(down=len(found.data) if found else 0)
        return found

    def read(self, name: str, start: int, end: int) -> bytes:
        self._add(down=end - start)
        return self._inner.read(name, start, end)

    def stream(self, name: str, start: int, end: int) -> Iterator[bytes]:
        self._add(down=end - start)
        return self._inner.stream(name, start, end)

    def create(self, name: str, parts: Iterable[bytes], *, size: int) -> None:
        self._add(up=size)
        self._inner.create(name, parts, size=size)

    def swap(self, name: str, data: bytes, version: Version | None) -> Version | None:
        self._add(up=len(data))
        return self._inner.swap(name, data, version)

    def stat(self, name: str) -> Listed | None:
        self._add()
        return self._inner.stat(name)

    def list(self, prefix: str) -> Iterator[Listed]:
        self._add()
        return self._inner.list(prefix)

    def remove(self, names: Sequence[str]) -> None:
        for _ in names:
            self._add()
        self._inner.remove(names)

    def _add(self, *, up: int = 0, down: int = 0) -> None:
        self.count = Count(self.count.requests + 1, self.count.up + up, self.count.down + down)


# -- the real code -------------------------------------------------------------------------------


class Person:
    """A repository, and pushes of one small commit each from it."""

    def __init__(self, folder: Path, store: Path) -> None:
        init(folder, bare=True)
        self.repo = open_repo(folder)
        self.bucket = CountingBucket(FolderBucket(store, shown="store"))
        self._tip: ObjectId | None = None
        self._made = itertools.count()

    def push(self, commits: int = 1) -> Count:
        old, new = self._tip, self._commit(commits)
        before = self.bucket.count
        remote = StoreRemote(self.bucket)
        remote.use_local(self.repo, create=True)
        listing = remote.list_refs()
        known = [to_raw(oid) for oid in listing.values().values()]
        ids = [each.raw for each in NewObjects(self.repo.objects, [to_raw(new)], known)]
        remote.receive(iter_records(self.repo.objects, ids), count=len(ids))
        remote.update_refs([RefUpdate(HEADS + "main", old, new)], version=listing.version)
        remote.close()
        self._tip = new
        return self.bucket.count - before

    def fetch(self, have: ObjectId | None = None) -> Count:
        before = self.bucket.count
        remote = StoreRemote(self.bucket)
        remote.use_local(self.repo)
        (oid,) = remote.list_refs().values().values()
        if oid != have:
            bring_offered(self.repo, remote, remote.offer([oid], [have] if have else []))
        remote.close()
        return self.bucket.count - before

    def tip(self) -> ObjectId:
        assert self._tip is not None
        return self._tip

    def _commit(self, commits: int) -> ObjectId:
        with self.repo.transaction("commit", who=WHO) as tx:
            old = tip = self._tip
            for _ in range(commits):
                number = next(self._made)
                dice = random.Random(number)
                files = [
                    TreeEntry(
                        MODE_FILE, b"f%03d" % n, tx.write_object("blob", dice.randbytes(1200))
                    )
                    for n in range(4)
                ]
                tree = tx.write_object("tree", format_tree(files))
                who = WHO._replace(time_s=WHO.time_s + number)
                above: tuple[RawId, ...] = (to_raw(tip),) if tip else ()
                tip = from_raw(
                    tx.write_object("commit", format_commit(Commit(tree, above, who, who, b"x\n")))
                )
            assert tip is not None
            tx.set_ref(HEADS + "main", tip, old=old, log="commit")
        return tip


def measured() -> list[str]:
    """Count what the real code does."""
    rows = ["| by the real code | requests | up | down |", "| --- | ---: | ---: | ---: |"]

    def row(name: str, count: Count, times: int = 1) -> None:
        up, down = size(count.up / times), size(count.down / times)
        rows.append(f"| {name} | {count.requests / times:.3g} | {up} | {down} |")

    with tempfile.TemporaryDirectory(prefix="muse-cost-") as place:
        ada = Person(Path(place, "ada"), Path(place, "store"))
        row("first push, 1 000 commits, with the probe", ada.push(1000))
        row("push of one commit", ada.push())
        bob = Person(Path(place, "bob"), Path(place, "store"))
        row("clone of that", bob.fetch())
        seen = ada.tip()
        row("fetch of nothing", bob.fetch(seen))
        ada.push()
        row("fetch of one commit", bob.fetch(seen))
        total = Count()
        for _ in range(256):
            one = ada.push()
            total = Count(total.requests + one.requests, total.up + one.up, total.down + one.down)
        row("push of one commit, mean of 256, merges included", total, 256)
        cleo = Person(Path(place, "cleo"), Path(place, "store"))
        row("clone after those", cleo.fetch())
    return rows


# -- the simulation ------------------------------------------------------------------------------


@dataclass
class World:
    """One store and those who push to it.

    Attributes:
        document: As it is now.
        version: Changes with each write.
        cooldown_s: How long the store refuses to replace an object again (Google: a second).
    """

    document: Document
    version: int = 0
    cooldown_s: float = 0.0
    written_s: float = -1e9
    count: Count = field(default_factory=Count)
    attempts: int = 0
    pushes: int = 0
    merges: int = 0
    given_up: int = 0
    refs_bytes: int = 0
    waits_s: list[float] = field(default_factory=list)

    def size(self, document: Document) -> int:
        """Return the bytes of a document; its refs, which stay as many, are counted once."""
        self.refs_bytes = self.refs_bytes or len(replace(document, packs=(), recent=()).encode())
        lists = json.dumps([document.packs, document.recent], separators=(",", ":"))
        return self.refs_bytes + len(lists) - 7

    def request(self, *, up: int = 0, down: int = 0) -> float:
        """Count a request; return how long it takes."""
        self.count.requests += 1
        self.count.up += up
        self.count.down += down
        return LATENCY_S + (up + down) / BYTES_PER_S

    def swap(self, now_s: float, version: int, document: Document) -> bool:
        if version != self.version or now_s - self.written_s < self.cooldown_s:
            return False
        self.document, self.version, self.written_s = document, version + 1, now_s
        return True


Step = Generator[float, float, None]


def pusher(world: World, number: int, dice: random.Random, begun_s: float) -> Step:
    """One push, step by step; yields how long it waits, is sent what time it is."""
    yield world.request(down=world.size(world.document))
    document, version = world.document, world.version
    yield world.request(up=PUSH_BYTES)
    name = f"{number:064x}-{number:016x}"
    entry = PackEntry(name, PUSH_BYTES, 1112 + 40 * PUSH_OBJECTS, 800, PUSH_OBJECTS)

    def change(now: Document) -> Document:
        # Which ref moves makes no difference to any figure.
        return now.with_packs([entry])

    now_s = yield from write(world, (document, version), change, dice)
    world.pushes += 1
    world.waits_s.append(now_s - begun_s)
    if is_due(world.document):
        yield from merge(world, number, dice)


def write(
    world: World, seen: tuple[Document, int], change: Callable[[Document], Document],
    dice: random.Random,
) -> Generator[float, float, float]:  # fmt: skip
    """`store_update.write_document`, step by step; returns when it was done."""
    document, version = seen
    pause_s, first_s = FIRST_PAUSE_S, 0.0
    while True:
        wanted = change(document).next(new_mark())
        world.attempts += 1
        now_s = yield world.request(up=world.size(wanted))
        first_s = first_s or now_s
        if world.swap(now_s, version, wanted):
            return now_s
        if now_s - first_s > 60:
            world.given_up += 1
            return now_s
        yield world.request(down=world.size(world.document))
        document, version = world.document, world.version
        yield dice.uniform(0, pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def merge(world: World, number: int, dice: random.Random) -> Step:
    """`store_merge.merge_packs`, step by step."""
    seen = world.document, world.version
    chosen = choose_small(seen[0].packs)
    if not chosen:
        return
    for start in range(0, len(chosen), PARALLEL):
        yield max(world.request(down=each.size) for each in chosen[start : start + PARALLEL])
    objects = sum(each.objects for each in chosen)
    total = sum(each.size for each in chosen)
    yield world.request(up=total)
    yield world.request(up=82 * len(chosen))
    name = f"{number:064x}-f{number:015x}"
    made = PackEntry(name, total, 1112 + 40 * objects, total // 8, objects)
    names = {each.name for each in chosen}
    world.merges += 1
    with contextlib.suppress(GoneError):
        yield from write(world, seen, lambda now: swap_packs(now, names, [made]), dice)


def simulate(an_hour: int, *, refs: int, pushes: int, cooldown_s: float = 0.0) -> World:
    """Let so many pushes happen, at random times."""
    dice = random.Random(an_hour)
    oid = ObjectId("sha256:" + "0" * 64)
    start = Document.new()
    world = World(replace(start, refs={f"{HEADS}topic-{n}": oid for n in range(refs)}))
    world.cooldown_s = cooldown_s
    queue: list[tuple[float, int, Step]] = []
    at_s = 0.0
    for number in range(1, pushes + 1):
        at_s += dice.expovariate(an_hour / 3600)
        heapq.heappush(queue, (at_s, number, pusher(world, number, dice, at_s)))
    started: set[int] = set()
    while queue:
        now_s, number, steps = heapq.heappop(queue)
        try:
            wait_s = steps.send(now_s) if number in started else next(steps)
        except StopIteration:
            continue
        started.add(number)
        heapq.heappush(queue, (now_s + wait_s, number, steps))
    return world


def simulated() -> list[str]:
    """Run the simulation for several crowds."""
    names = (
        "pushes an hour", "refs", "requests a push", "up", "down", "writes tried",
        "half are done in", "99 % in", "given up", "packs", "`refs.json`",
    )  # fmt: skip
    rows = [f"| {' | '.join(names)} |", "| --- |" + " ---: |" * 10]
    for an_hour, refs, pushes, cooldown_s in (
        (10, 20, 600, 0.0),
        (100, 100, 2000, 0.0),
        (1_000, 500, 4000, 0.0),
        (10_000, 2_000, 4000, 0.0),
        (10_000, 20_000, 4000, 0.0),
        (1_000, 500, 2000, 1.0),
        (3_000, 1_000, 2000, 1.0),
    ):
        world = simulate(an_hour, refs=refs, pushes=pushes, cooldown_s=cooldown_s)
        cuts = quantiles(world.waits_s, n=100)
        name = f"{an_hour:,}".replace(",", " ") + (" (one write a second)" if cooldown_s else "")
        done, count = world.pushes, world.count
        rows.append(
            f"| {name} | {refs} | {count.requests / done:.2f} | {size(count.up / done)} | "
            f"{size(count.down / done)} | {(world.attempts - world.merges) / done:.2f} | "
            f"{cuts[49]:.2f} s | {cuts[98]:.2f} s | {world.given_up} | "
            f"{len(world.document.packs)} | {size(world.size(world.document))} |"
        )
    return rows


def size(count: float) -> str:
    """Return a size for people."""
    for unit in ("B", "KB", "MB"):
        if count < 1000 or unit == "MB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError


def main() -> None:
    """Print both tables."""
    print("\n".join(measured()))
    print()
    print("\n".join(simulated()))


if __name__ == "__main__":
    main()
