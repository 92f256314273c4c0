"""Names for commits and objects: ``main~2``, ``v1^{tree}``, ``HEAD@{1}:src/app.py``, ``a..b``.

The grammar is git's: a base (a ref, an id, ``@``) and any number of steps from there. A base is
looked up as git does it, so that a name means the same in both: a full id, then ``refs/<name>``,
tags, branches, remote branches, then shortened ids.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from muse.core.ancestry import CommitGraph, merge_bases
from muse.core.commits import ObjectFormatError, parse_tag
from muse.core.config import Config
from muse.core.errors import (
    AmbiguousIdError,
    CorruptObjectError,
    NotFoundError,
    ObjectNotFoundError,
    PathNotFoundError,
    RevisionNotFoundError,
    UnsafeNameError,
)
from muse.core.object_store import ObjectStore
from muse.core.paths import show_path, show_text
from muse.core.reflog import read_reflog
from muse.core.refs import HEADS, REMOTES, TAGS, RefStore, short_name
from muse.core.trees import EMPTY_TREE, TreeEntry, find_in_tree
from muse.core.types import MODE_FILE, MODE_TREE, OBJECT_TYPES, ObjectType, RawId, from_raw, to_raw
from muse.core.upstream import find_upstream

MIN_DIGITS: Final = 4

_ID: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{4,64})\Z")
_PREFIXED: Final = re.compile(r"sha256:[0-9a-fA-F]{4,64}(?![\w./-])")
_BASE_END: Final = re.compile(r"[~^:]|@\{")
_STEP: Final = re.compile(
    r"@\{(?P<at>[^}]*)\}|~(?P<up>\d*)|\^\{(?P<peel>[^}]*)\}|\^(?P<nth>\d*)|:(?P<path>.*)", re.DOTALL
)
_RANGE: Final = re.compile(r"((?:sha256:)?[^:]*?)(\.\.\.?)(.*)\Z", re.DOTALL)
_MOVED: Final = re.compile(r"checkout: moving from (.+) to .+\Z")


class RevisionRange(NamedTuple):
    """Where a walk starts and where it ends.

    Attributes:
        include: Commits whose ancestors are wanted.
        exclude: Commits whose ancestors are not.
    """

    include: tuple[RawId, ...]
    exclude: tuple[RawId, ...]


class Revisions:
    """Finds what names mean in one repository.

    Args:
        store: Its objects.
        refs: Its refs.
        config: Its settings, for ``@{upstream}``.
        graph: Commits that were read already, to be shared.
    """

    def __init__(
        self,
        store: ObjectStore,
        refs: RefStore,
        *,
        config: Config | None = None,
        graph: CommitGraph | None = None,
    ) -> None:
        self.graph = graph or CommitGraph(store)
        self._store = store
        self._refs = refs
        self._config = config

    # -- what callers ask for ------------------------------------------------------------------

    def find(self, text: str) -> RawId:
        """Return the object that a text names, not peeled.

        Raises:
            RevisionNotFoundError: It names nothing; the hint offers similar names.
            AmbiguousIdError: A shortened id fits several objects.
            PathNotFoundError: ``rev:path``, and the path is not in that tree.
        """
        return self.find_entry(text).raw

    def find_commit(self, text: str) -> RawId:
        """Return the commit that a text names, annotated tags peeled; errors as for `find`."""
        return self._peel(self._walk(text, wanted="commit").raw, "commit", text)

    def is_commit(self, text: str) -> bool:
        """Tell whether a text names a commit that is here.

        Raises:
            CorruptObjectError: What it names is damaged.
        """
        try:
            self.find_commit(text)
        except NotFoundError:
            return False
        return True

    def find_tree(self, text: str) -> RawId:
        """Return the tree that a text names: a tree, or a commit's; errors as for `find`."""
        return self._peel(self._walk(text, wanted="tree").raw, "tree", text)

    def find_entry(self, text: str) -> TreeEntry:
        """Return the object that a text names with mode and name, as ``rev:path`` gives them.

        Where no tree was involved, the mode is a folder's for trees and a plain file's otherwise.
        """
        return self._walk(text, wanted=None)

    def find_range(self, texts: str | Iterable[str]) -> RevisionRange:
        """Resolve revisions and ranges: ``a..b``, ``a...b``, ``^a``, ``a^@``, ``a^!``.

        Args:
            texts: One or several; HEAD when none names a start.
        """
        include: list[RawId] = []
        exclude: list[RawId] = []
        for text in [texts] if isinstance(texts, str) else texts:
            match = _RANGE.match(text)
            if match is not None:
                old, new = (self.find_commit(side or "HEAD") for side in match.group(1, 3))
                include += [new] if match[2] == ".." else [old, new]
                exclude += [old] if match[2] == ".." else merge_bases(self.graph, old, new)
            elif text.startswith("^"):
                exclude.append(self.find_commit(text[1:]))
            elif text.endswith("^@"):
                include += self.graph.node(self.find_commit(text[:-2])).parents
            elif text.endswith("^!"):
                include.append(self.find_commit(text[:-2]))
                exclude += self.graph.node(include[-1]).parents
            else:
                include.append(self.find_commit(text))
        return RevisionRange(tuple(include or [self.find_commit("HEAD")]), tuple(exclude))

    def full_name(self, text: str) -> str | None:
        """Return the full name of the ref that a name means; None when it is no ref's name."""
        found = self._find_ref(text)
        return found[0] if found else None

    def previous_branch(self, nth: int = 1) -> str:
        """Return what was checked out before the nth last switch: a branch, or a commit's hex.

        Raises:
            RevisionNotFoundError: HEAD's reflog knows no such switch.
        """
        left = nth
        for entry in read_reflog(self._store.root, "HEAD"):
            match = _MOVED.match(entry.message)
            if match is not None:
                left -= 1
                if not left:
                    return match[1]
        raise RevisionNotFoundError(
            f"There is no branch that was checked out {nth} switch{'es' * (nth > 1)} ago.",
            hint="'muse reflog' shows where HEAD was; 'muse branch' lists the branches.",
        )

    # -- the grammar ---------------------------------------------------------------------------

    def _walk(self, text: str, *, wanted: ObjectType | None) -> TreeEntry:
        prefixed = _PREFIXED.match(text)
        end = prefixed or _BASE_END.search(text)
        at = len(text) if end is None else end.end() if prefixed else end.start()
        at, raw = self._base(text, at, wanted=wanted if at == len(text) else "commit")
        entry = TreeEntry(0, b"", raw)
        while at < len(text):
            step = _STEP.match(text, at)
            if step is None or step["at"] is not None:
                raise self._unknown(text)
            at = step.end()
            if step["path"] is not None:
                return self._entry_at(entry.raw, step["path"], text[: step.start()])
            entry = entry._replace(raw=self._step(entry.raw, step, text))
        mode = MODE_TREE if self._store.stat(entry.raw)[0] == "tree" else MODE_FILE
        return entry._replace(mode=mode)

    def _base(self, text: str, at: int, *, wanted: ObjectType | None) -> tuple[int, RawId]:
        base = text[:at]
        step = _STEP.match(text, at)
        if step is None or step["at"] is None:
            return at, self._find_base(base, text, wanted=wanted)
        inside = step["at"]
        if inside.isdigit():
            return step.end(), self._in_reflog(base, int(inside), text)
        if inside.startswith("-") and inside[1:].isdigit() and not base:
            name = self.previous_branch(int(inside[1:]))
            # What a branch of that name is now, as git has it; it may be a commit, too.
            return step.end(), self._find_base(name, text, wanted="commit")
        if inside in {"u", "upstream"}:
            return step.end(), self._upstream(base, text)
        raise self._unknown(text)

    def _step(self, raw: RawId, step: re.Match[str], text: str) -> RawId:
        if step["peel"] is not None:
            return self._peel_to(raw, step["peel"], text)
        if step["up"] is not None:
            raw = self._peel(raw, "commit", text)
            for _ in range(int(step["up"] or "1")):
                raw = self._parent(raw, 1, text)
            return raw
        raw = self._peel(raw, "commit", text)
        nth = int(step["nth"] or "1")
        return self._parent(raw, nth, text) if nth else raw

    def _parent(self, raw: RawId, nth: int, text: str) -> RawId:
        parents = self.graph.node(raw).parents
        if nth > len(parents):
            count = (
                "no parent"
                if not parents
                else f"only {len(parents)} parent{'s'[: len(parents) > 1]}"
            )
            raise RevisionNotFoundError(
                f"'{show_text(text)}' goes too far: commit {raw.hex()[:10]} has {count}.",
                hint="'muse log --graph' shows how far the history goes.",
            )
        return parents[nth - 1]

    def _entry_at(self, raw: RawId, path: str, rev: str) -> TreeEntry:
        tree = self._peel(raw, "tree", rev)
        name = os.fsencode(path).strip(b"/")
        entry = find_in_tree(self._store, tree, name)
        if entry is None:
            raise PathNotFoundError(
                f"'{show_path(name)}' is not in {show_text(rev)}.",
                hint=f"'muse ls-tree {show_text(rev)}' lists what is.",
            )
        return entry

    # -- bases ---------------------------------------------------------------------------------

    def _find_base(self, base: str, text: str, *, wanted: ObjectType | None) -> RawId:
        match = _ID.match(base)
        digits = match[1].lower() if match else ""
        if len(digits) == 64:
            raw = RawId(bytes.fromhex(digits))
            if raw != EMPTY_TREE and not self._store.has(raw):
                raise ObjectNotFoundError(from_raw(raw))
            return raw
        ref = self._find_ref(base)
        if ref is not None:
            return ref[1]
        if digits:
            found = self._find_short(digits, base, wanted=wanted)
            if found is not None:
                return found
        if base in {"HEAD", "@"}:
            raise RevisionNotFoundError(
                "HEAD has no commit yet.",
                hint="Make the first one with 'muse commit -m <message>'.",
            )
        raise self._unknown(text)

    def _find_ref(self, name: str) -> tuple[str, RawId] | None:
        if name in {"HEAD", "@"}:
            oid = self._refs.head().commit
            return ("HEAD", to_raw(oid)) if oid else None
        tries = [] if name.startswith("refs/") else ["refs/", TAGS, HEADS, REMOTES]
        for candidate in [name] if not tries else [prefix + name for prefix in tries]:
            try:
                oid = self._refs.read(candidate)
            except UnsafeNameError:
                return None
            if oid is not None:
                return candidate, to_raw(oid)
        return self._remote_default(name)

    def _remote_default(self, name: str) -> tuple[str, RawId] | None:
        try:
            oid = self._refs.read(f"{REMOTES}{name}/HEAD")
        except UnsafeNameError:
            return None
        return (f"{REMOTES}{name}/HEAD", to_raw(oid)) if oid else None

    def _find_short(self, digits: str, base: str, *, wanted: ObjectType | None) -> RawId | None:
        found = self._store.find_prefix(digits)
        if len(found) > 1 and wanted is not None:
            # Where a commit is asked for, only commits (and what peels to one) come into question.
            fitting = {"commit", "tag"} if wanted == "commit" else {"commit", "tag", wanted}
            kept = [oid for oid in found if self._store.stat(to_raw(oid))[0] in fitting]
            found = kept or found
        if len(found) > 1:
            raise AmbiguousIdError(base, candidates=tuple(found))
        return to_raw(found[0]) if found else None

    def _in_reflog(self, base: str, nth: int, text: str) -> RawId:
        ref = base or self._refs.head().ref or "HEAD"
        ref = "HEAD" if ref == "@" else ref
        if ref != "HEAD":
            full = self.full_name(ref)
            if full is None:
                raise self._unknown(text)
            ref = full
        entries = read_reflog(self._store.root, ref)
        moves = [entry.new for entry in entries]
        moves += [entries[-1].old] if entries else []
        if not nth and not entries:
            return self._find_base(ref, text, wanted="commit")
        oid = moves[nth] if nth < len(moves) else None
        if oid is None:
            raise RevisionNotFoundError(
                f"'{show_text(text)}' goes too far: {show_text(short_name(ref))} "
                f"moved {len(entries)} times.",
                hint=f"'muse reflog {show_text(short_name(ref))}' lists where it was.",
            )
        return to_raw(oid)

    def _upstream(self, base: str, text: str) -> RawId:
        branch = base if base not in {"", "@", "HEAD"} else self._refs.head().branch
        branch = short_name(branch) if branch else None
        upstream = find_upstream(self._config, branch) if self._config and branch else None
        if upstream is None:
            raise RevisionNotFoundError(
                f"'{show_text(branch or 'HEAD')}' follows no other branch.",
                hint="Set one with 'muse branch --set-upstream-to <remote>/<branch>', "
                "or push with 'muse push -u'.",
            )
        return self._find_base(upstream.tracking, text, wanted="commit")

    # -- peeling -------------------------------------------------------------------------------

    def _peel_to(self, raw: RawId, kind: str, text: str) -> RawId:
        if not kind:
            while self._store.stat(raw)[0] == "tag":
                raw = self._tagged(raw)
            return raw
        if kind == "object":
            return raw
        for known in OBJECT_TYPES:
            if kind == known:
                return self._peel(raw, known, text)
        raise self._unknown(text)

    def _peel(self, raw: RawId, wanted: ObjectType, text: str) -> RawId:
        kind = self._store.stat(raw)[0]
        while kind != wanted:
            if kind == "tag":
                raw = self._tagged(raw)
            elif kind == "commit" and wanted == "tree":
                return self.graph.node(raw).tree
            else:
                raise RevisionNotFoundError(
                    f"'{show_text(text)}' is a {kind}, not a {wanted}.",
                    hint=f"'muse cat-object {raw.hex()[:12]}' shows it.",
                )
            kind = self._store.stat(raw)[0]
        return raw

    def _tagged(self, raw: RawId) -> RawId:
        try:
            return parse_tag(self._store.read(raw, expected="tag")[1]).target
        except ObjectFormatError as error:
            raise CorruptObjectError(from_raw(raw), where="the store", reason=str(error)) from error

    def _unknown(self, text: str) -> RevisionNotFoundError:
        return RevisionNotFoundError(
            f"'{show_text(text)}' names no commit, branch, tag or object.",
            hint=self._similar(text) or "'muse log', 'muse branch -a' and 'muse tag' show names.",
        )

    def _similar(self, text: str) -> str:
        import difflib  # start-up time: only mistakes need it

        base = _BASE_END.split(text)[0]
        names: Sequence[str] = sorted({short_name(name) for name in self._refs.iter_names()})
        close = difflib.get_close_matches(base, [*names, "HEAD"], n=3, cutoff=0.6)
        return f"Did you mean {' or '.join(show_text(name) for name in close)}?" if close else ""
