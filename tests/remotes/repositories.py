"""Real repositories for the tests of remotes: made fast, and judged by an independent walk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from muse.core import journal
from muse.core.commits import Commit, Signature, format_commit, parse_commit, parse_tag
from muse.core.object_store import ObjectStore
from muse.core.paths import config_path
from muse.core.refs import HEADS
from muse.core.repo import Repository, open_repo
from muse.core.transaction import Transaction
from muse.core.trees import EMPTY_TREE, TreeEntry, format_tree, parse_tree
from muse.core.types import (
    MODE_FILE,
    MODE_TREE,
    ObjectId,
    ObjectType,
    RawId,
    from_raw,
    raw_object_id,
    to_raw,
)
from muse.ops.init import init
from muse.ops.remote import add_remote
from muse.remotes.protocol import ObjectRecord

Files = Mapping[bytes, bytes]
START_S = 1_700_000_000
ADA = Signature("Ada", "ada@example.com", START_S, "+0100")


def make_repo(path: Path, *, bare: bool = False, origin: Path | None = None) -> Repository:
    """Create a repository, with a remote ``origin`` if asked for."""
    init(path, bare=bare)
    repo = open_repo(path)
    if origin is not None:
        add_remote(repo, "origin", str(origin))
    return repo


def add_commit(
    repo: Repository,
    files: Files,
    *,
    branch: str = "main",
    parents: tuple[ObjectId, ...] | None = None,
    message: str = "a commit\n",
    time_s: int | None = None,
) -> ObjectId:
    """Commit files on a branch (on top of what it names) in one transaction."""
    with repo.transaction("commit", who=ADA) as tx:
        old = repo.refs.read(HEADS + branch)
        above = parents if parents is not None else ((old,) if old else ())
        when = time_s if time_s is not None else START_S + len(message) + _age(repo, above)
        who = ADA._replace(time_s=when)
        commit = Commit(
            write_tree(tx, files), tuple(map(to_raw, above)), who, who, message.encode()
        )
        oid = from_raw(tx.write_object("commit", format_commit(commit)))
        tx.set_ref(HEADS + branch, oid, old=old, log="commit: test")
    return oid


def _age(repo: Repository, parents: tuple[ObjectId, ...]) -> int:
    return max((repo.commit(each).committer.time_s - START_S + 1 for each in parents), default=0)


def write_tree(tx: Transaction | ObjectStore, files: Files) -> RawId:
    """Write files and the trees above them; return the root."""
    write = tx.write_object if isinstance(tx, Transaction) else tx.write
    folders: dict[bytes, dict[bytes, bytes]] = {}
    entries = []
    for path, data in files.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            folders.setdefault(name, {})[rest] = data
        else:
            entries.append(TreeEntry(MODE_FILE, name, write("blob", data)))
    for name, below in folders.items():
        entries.append(TreeEntry(MODE_TREE, name, write_tree(tx, below)))
    return write("tree", format_tree(entries))


def set_ref(repo: Repository, name: str, oid: ObjectId | None) -> None:
    """Point a ref somewhere, whatever it was."""
    with repo.transaction("test", who=ADA) as tx:
        tx.set_ref(name, oid, old=repo.refs.read(name), log="test")


def reachable(repo: Repository) -> dict[RawId, ObjectType]:
    """Return everything that the refs and HEAD need, read and verified, by the plainest walk."""
    store = ObjectStore(repo.root)
    found: dict[RawId, ObjectType] = {}
    todo = [to_raw(oid) for _, oid in repo.refs.iter()]
    head = repo.refs.head().commit
    todo += [to_raw(head)] if head else []
    while todo:
        raw = todo.pop()
        if raw in found:
            continue
        if raw == EMPTY_TREE and not store.has(raw):
            found[raw] = "tree"
            continue
        kind, payload = store.read(raw)
        assert raw_object_id(kind, payload) == raw
        found[raw] = kind
        if kind == "commit":
            commit = parse_commit(payload)
            todo += [commit.tree, *commit.parents]
        elif kind == "tree":
            todo += [entry.raw for entry in parse_tree(payload)]
        elif kind == "tag":
            todo.append(parse_tag(payload).target)
    return found


def settle(repo: Repository) -> None:
    """Retire the journal, so that damage done by a test is not healed from it."""
    journal.checkpoint(repo.root)


def snapshot(repo: Repository) -> dict[str, bytes]:
    """Return refs, HEAD and settings as bytes, to see that nothing moved."""
    muse = repo.muse
    found = {
        str(path.relative_to(muse)): path.read_bytes()
        for path in (muse / "refs").rglob("*")
        if path.is_file()
    }
    found["HEAD"] = (muse / "HEAD").read_bytes()
    if config_path(repo.root).exists():
        found["config"] = config_path(repo.root).read_bytes()
    return found


def record(kind: ObjectType, payload: bytes, raw: RawId | None = None) -> ObjectRecord:
    """Return an object as it travels; with another id if asked for."""
    return ObjectRecord(raw or raw_object_id(kind, payload), kind, len(payload), payload)


def files_of(count: int, *, seed: bytes = b"") -> dict[bytes, bytes]:
    """Return so many small files in folders of at most 50."""
    return {
        b"d%d/f%d" % (number // 50, number): b"%s content of %d\n" % (seed, number) * 8
        for number in range(count)
    }
