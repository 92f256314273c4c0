"""Damaged refs, HEAD, stage and format file: what they held, as the logs tell."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from muse.core.codec import CodecError
from muse.core.errors import MuseError, OversizeError
from muse.core.findings import Finding
from muse.core.io import write_bytes_atomic
from muse.core.object_store import ObjectStore
from muse.core.operations import read_operations
from muse.core.paths import (
    head_path,
    muse_dir,
    repo_json_path,
    shallow_path,
    show_path,
    show_text,
    stage_path,
)
from muse.core.plain_files import RECORD_BYTES, read_plain
from muse.core.reflog import read_reflog
from muse.core.refs import HEADS, short_name
from muse.core.repo import FORMAT_VERSION, Repository
from muse.core.stage import Stage, decode_stage
from muse.core.types import ObjectId, is_object_id, to_raw
from muse.ops.doctor_quarantine import Quarantine
from muse.ops.doctor_remedy import Remedy

if TYPE_CHECKING:
    from muse.core.transaction import Transaction

_LOG = "doctor: restored"
_SHOWN = 5


class NameDoctor:
    """Proposes what to do about files that name objects.

    Args:
        repo: The repository.
        quarantine: Where damaged files go.
    """

    def __init__(self, repo: Repository, quarantine: Quarantine) -> None:
        self._repo, self._quarantine = repo, quarantine
        self._root = repo.root
        self._muse = muse_dir(repo.root)
        self._store = ObjectStore(repo.root, readonly=True)

    def remedies(self, findings: Iterable[Finding]) -> Iterator[Remedy]:
        """Yield a remedy for each damaged file that is not an object's."""
        findings = list(findings)
        for finding in findings:
            if finding.file is None or finding.severity != "damage" or finding.oid is not None:
                continue
            path = Path(finding.file)
            if path == head_path(self._root):
                yield self._head(finding, path)
            elif path == stage_path(self._root):
                yield self._stage(finding, path)
            elif path == repo_json_path(self._root):
                yield self._facts(finding, path)
            elif path == shallow_path(self._root) and not any(map(_is_gap, findings)):
                yield self._boundary(finding, path)
            elif path.is_relative_to(self._muse / "refs"):
                yield self._ref(finding, path)
            elif not finding.file.endswith((".mpack", ".idx")):
                yield Remedy(finding.message, way_out=finding.way_out)

    def strayed(self, oid: ObjectId) -> Iterator[Remedy]:
        """Yield a remedy for each ref that names what is nowhere, and never did by its log."""
        for name in self._repo.refs.iter_names():
            with contextlib.suppress(MuseError):
                log = read_reflog(self._root, name)
                if self._repo.refs.read(name) == oid and log and log[0].new not in {None, oid}:
                    path = self._repo.refs.path(name)
                    problem = f"{short_name(name)} names {oid}, which is nowhere."
                    yield self._ref(Finding("dangling", "damage", problem, ""), path)

    # -- refs ------------------------------------------------------------------------------

    def _ref(self, finding: Finding, path: Path) -> Remedy:
        name = path.relative_to(self._muse).as_posix()
        value, where = self._last_value(name)
        if value is None:
            return Remedy(finding.message, way_out=self._ref_way_out(name, finding))

        def publish(tx: Transaction) -> None:
            self._quarantine.move(path)
            tx.set_ref(name, value, old=None, log=f"{_LOG} from {where}")

        action = f"Set {show_text(short_name(name))} to {value}, where it was by {where}."
        return Remedy(finding.message, action, publish=publish)

    def _last_value(self, name: str) -> tuple[ObjectId | None, str]:
        """Return where a ref was last, as far as that is stored whole."""
        for entry in read_reflog(self._root, name):
            if entry.new is not None and self._store.is_whole(to_raw(entry.new)):
                return entry.new, "its reflog"
        for operation in read_operations(self._root):
            for ref, _, new in operation.refs:
                if ref == name and new is not None and self._store.is_whole(to_raw(new)):
                    return new, "the operation log"
        return None, ""

    @staticmethod
    def _ref_way_out(name: str, finding: Finding) -> str:
        if name.startswith("refs/remotes/"):
            return "Delete that file; 'muse fetch' writes it anew."
        return finding.way_out or "Delete that file, or write the id of a commit into it."

    def _head(self, finding: Finding, path: Path) -> Remedy:
        text = self._last_head()
        if text is None:
            return Remedy(finding.message, way_out=finding.way_out)
        name = text.removeprefix("ref: ").strip()
        shown = short_name(name) if text.startswith("ref: ") else name

        def publish(tx: Transaction) -> None:
            self._quarantine.move(path)
            if text.startswith("ref: "):
                tx.set_head(ref=name, log=f"{_LOG} to {short_name(name)}")
            else:
                commit = ObjectId(name.removeprefix("commit: "))
                tx.set_head(commit=commit, log=f"{_LOG} to {commit}")

        action = f"Set HEAD to {show_text(shown)}, where it was by the logs."
        return Remedy(finding.message, action, publish=publish)

    def _last_head(self) -> str | None:
        """Return HEAD's last text, or the one branch that can have been checked out."""
        for operation in read_operations(self._root):
            if operation.head is not None:
                return self._usable_head(operation.head[1])
        names = list(self._repo.refs.iter_names(HEADS))
        log = read_reflog(self._root, "HEAD")
        if log and log[0].new is not None:
            tips = [name for name in names if self._value(name) == log[0].new]
            names = tips or names
        default = f"{HEADS}main"
        if len(names) == 1 or default in names:
            return f"ref: {default if default in names else names[0]}\n"
        return None if names else f"ref: {default}\n"

    def _usable_head(self, text: str) -> str | None:
        if text.startswith(f"ref: {HEADS}"):
            return text
        commit = text.removeprefix("commit: ").strip()
        return text if is_object_id(commit) and self._store.is_whole(to_raw(commit)) else None

    def _value(self, name: str) -> ObjectId | None:
        with contextlib.suppress(MuseError):
            return self._repo.refs.read(name)
        return None

    # -- the stage -------------------------------------------------------------------------

    def _stage(self, finding: Finding, path: Path) -> Remedy:
        data = self._last_stage()

        def publish(tx: Transaction) -> None:
            self._quarantine.keep(path)
            if data:
                tx.write_file(path, data)
            else:
                tx.remove_file(path)

        if data is None:
            action = "Move it to the quarantine and start an empty stage; no file of yours changes."
        elif not data:
            action = "Move it to the quarantine: by the operation log, nothing was staged."
        else:
            names = [show_path(name) for name in decode_stage(data)]
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            listed = ", ".join(names[:_SHOWN]) + more
            action = f"Bring the stage back from the operation log; staged were: {listed}."
        return Remedy(finding.message, action, publish=publish)

    def _last_stage(self) -> bytes | None:
        """Return the stage file as the last operation left it; None when nobody knows."""
        for operation in read_operations(self._root):
            if operation.stage is None:
                continue
            oid = operation.stage[1]
            try:
                data = self._store.read(to_raw(oid), expected="blob")[1] if oid else b""
                stage = decode_stage(data) if data else Stage()
            except (MuseError, CodecError, ValueError):
                return None
            blobs = [entry[1] for entry in stage.values() if entry is not None]
            return data if all(map(self._store.is_whole, blobs)) else None
        return None

    def _boundary(self, finding: Finding, path: Path) -> Remedy:
        def publish(tx: Transaction) -> None:
            self._quarantine.keep(path)
            tx.remove_file(path)

        action = "Move it to the quarantine: all history is here, so it ends nowhere."
        return Remedy(finding.message, action, publish=publish)

    # -- settings --------------------------------------------------------------------------

    def _facts(self, finding: Finding, path: Path) -> Remedy:
        def tidy() -> None:
            try:
                text = read_plain(path, limit=RECORD_BYTES) or b""
            except (OSError, OversizeError):
                text = b""
            self._quarantine.keep(path)
            known = re.search(rb'"id": *"([0-9a-f]{32})"', text)
            facts = {
                "format": FORMAT_VERSION,
                "id": known[1].decode() if known else os.urandom(16).hex(),
                "bare": re.search(rb'"bare": *true', text) is not None,
                "created_at": int(time.time()),
                "objects": "sha256",
            }
            write_bytes_atomic(path, json.dumps(facts, indent=2).encode() + b"\n", durable=True)

        action = "Write it anew with what can be read of it; it holds nothing of yours."
        return Remedy(finding.message, action, tidy=tidy, first=True)


def _is_gap(finding: Finding) -> bool:
    return finding.oid is not None and finding.severity == "damage"
