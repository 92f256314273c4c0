"""An independent reader of a store: its files, the standard library, and zstandard.

Nothing of Muse is imported. It reads ``refs.json`` and every pack, hashes every object, walks from
every ref, and says what is wrong, so that the code under test is never its own judge.
"""

from __future__ import annotations

import hashlib
import json
import struct
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import zstandard

KINDS = {1: "blob", 2: "tree", 3: "commit", 4: "tag"}
HEADER = struct.Struct(">2sBBQQ32sI")
EMPTY_TREE = hashlib.sha256(b"tree 0\0").digest()

# The server looks whether a request is signed, not by whom.
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=0"
)

Objects = dict[bytes, tuple[str, bytes]]


@dataclass
class State:
    """What a store holds.

    Attributes:
        document: ``refs.json``, or None.
        packs: Every pack that lies there, listed or not, by name.
    """

    document: dict[str, object] | None
    packs: dict[str, Objects]

    @property
    def refs(self) -> dict[str, str]:
        """Name → id."""
        found = (self.document or {}).get("refs", {})
        assert isinstance(found, dict)
        return found

    @property
    def listed(self) -> list[str]:
        """Names of listed packs."""
        packs = (self.document or {}).get("packs", [])
        assert isinstance(packs, list)
        return [str(each[0]) for each in packs]

    def objects(self, *, listed_only: bool = True) -> Objects:
        """Return the objects of the packs."""
        names = self.listed if listed_only else list(self.packs)
        return {raw: value for name in names for raw, value in self.packs[name].items()}

    def check(self) -> Objects:
        """Make sure that all that the refs need is in listed packs; return that."""
        objects = self.objects()
        needed: Objects = {}
        todo = [bytes.fromhex(oid.removeprefix("sha256:")) for oid in self.refs.values()]
        while todo:
            raw = todo.pop()
            if raw in needed or raw == EMPTY_TREE:
                continue
            assert raw in objects, f"{raw.hex()} is missing"
            kind, payload = needed[raw] = objects[raw]
            todo += links(kind, payload)
        return needed


def links(kind: str, payload: bytes) -> list[bytes]:
    """Return what an object refers to."""
    if kind == "tree":
        found, at = [], 0
        while at < len(payload):
            at = payload.index(b"\0", at) + 1
            found.append(payload[at : at + 32])
            at += 32
        return found
    if kind in {"commit", "tag"}:
        head = payload.split(b"\n\n", 1)[0].split(b"\n")
        words = [line.split(b" ") for line in head]
        names = {b"tree", b"parent"} if kind == "commit" else {b"object"}
        return [bytes.fromhex(word[1].decode()) for word in words if word[0] in names]
    return []


def parse_pack(name: str, data: bytes, entry: list[int] | None) -> Objects:
    """Read an index and the pack behind it; every object is hashed, every index entry compared."""
    assert data[:8] == b"MUSEPIDX"
    count = struct.unpack_from(">I", data, 12)[0]
    index_size = 16 + 1024 + 40 + 32 + count * 40
    index, pack = data[:index_size], data[index_size:]
    assert hashlib.sha256(index[:-32]).digest() == index[-32:]
    assert pack[:8] == b"MUSEPACK"
    assert hashlib.sha256(pack[:-32]).digest() == pack[-32:] == bytes.fromhex(name[:64])
    objects: Objects = {}
    places = {}
    at, first_blob = 16, len(pack) - 32
    while at < len(pack) - 32:
        _, code, flags, size, stored, raw, _ = HEADER.unpack_from(pack, at)
        body = pack[at + HEADER.size : at + HEADER.size + stored]
        payload = zstandard.ZstdDecompressor().decompressobj().decompress(body) if flags else body
        assert len(payload) == size
        kind = KINDS[code]
        assert hashlib.sha256(b"%s %d\0" % (kind.encode(), size) + payload).digest() == raw
        places[raw], objects[raw] = at, (kind, payload)
        if kind == "blob":
            first_blob = min(first_blob, at)
        else:
            assert at < first_blob, "what walks read lies in front"
        at += HEADER.size + stored
    ids = [index[1040 + 32 * n : 1072 + 32 * n] for n in range(count)]
    offsets = struct.unpack_from(f">{count}Q", index, 1040 + 32 * count)
    assert dict(zip(ids, offsets, strict=True)) == places
    assert ids == sorted(ids)
    if entry is not None:
        assert entry == [len(data), index_size, first_blob, count]
    return objects


def read_state(names: list[str], read: Callable[[str], bytes | None]) -> State:
    """Read a whole store.

    Args:
        names: What lies below ``packs/``, without that.
        read: Returns an object by its whole name, None when there is none.
    """
    data = read("refs.json")
    document = json.loads(data) if data is not None else None
    entries = {each[0]: each[1:] for each in document["packs"]} if document else {}
    packs = {}
    for name in names:
        content = read(f"packs/{name}")
        assert content is not None
        packs[name] = parse_pack(name, content, entries.get(name))
    assert set(entries) <= set(packs), "a listed pack is not there"
    return State(document, packs)


def read_folder(folder: Path) -> State:
    """Read a store that is a folder."""

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.exists() else None

    packs = folder / "packs"
    names = sorted(path.name for path in packs.iterdir()) if packs.exists() else []
    return read_state([name for name in names if not name.startswith(".")], read)


def read_s3(endpoint: str, bucket: str, prefix: str) -> State:
    """Read a store in a bucket, by plain HTTP."""
    below = f"{prefix}/packs/"
    names: list[str] = []
    token = ""
    while True:
        query = {"list-type": "2", "prefix": below}
        if token:
            query["continuation-token"] = token
        page = _get(f"{endpoint}/{bucket}?{urllib.parse.urlencode(query)}")
        assert page is not None
        root = ET.fromstring(page)
        space = root.tag[: root.tag.index("}") + 1]
        names += [(each.text or "")[len(below) :] for each in root.iter(f"{space}Key")]
        token = root.findtext(f"{space}NextContinuationToken") or ""
        if not token:
            break
    return read_state(names, lambda name: _get(f"{endpoint}/{bucket}/{prefix}/{name}"))


def read_azure(container: str, prefix: str, grant: str) -> State:
    """Read a store in a container, by plain HTTP.

    Args:
        container: Its URL.
        prefix: What stands before the names.
        grant: A query that allows reading (a shared access signature).
    """
    below = f"{prefix}/packs/"
    names: list[str] = []
    marker = ""
    while True:
        query = {"restype": "container", "comp": "list", "prefix": below, "marker": marker}
        page = _get(f"{container}?{urllib.parse.urlencode(query)}&{grant}", signed="")
        assert page is not None
        root = ET.fromstring(page)
        names += [(each.findtext("Name") or "")[len(below) :] for each in root.iter("Blob")]
        marker = root.findtext("NextMarker") or ""
        if not marker:
            break
    return read_state(names, lambda name: _get(f"{container}/{prefix}/{name}?{grant}", signed=""))


def _get(url: str, *, signed: str = _SIGNED) -> bytes | None:
    try:
        request = urllib.request.Request(url, headers={"Authorization": signed} if signed else {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
        raise
