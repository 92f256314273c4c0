"""Object payloads between git's two id sizes, and what in them Muse cannot hold.

Everything here is bytes in, bytes out. Only ids are exchanged: the rest of a commit or tag is
copied as it stands (author lines that no program would write today, unknown headers, an
``encoding`` header, messages in any encoding), so that converting back gives the first bytes again.
A ``gpgsig`` header is copied too. It signs the SHA-1 form, which is what git's own plan for the
transition between the formats keeps under that name (a SHA-256 signature is ``gpgsig-sha256``),
and an export in SHA-1 format makes it valid again.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from muse.core.paths import CASE_FOLDING, is_reserved_name

# What `parse_tree` leaves out, or writes differently.
SUBMODULE: Final = "submodule"
UNSAFE_NAME: Final = "unsafe name"
DUPLICATE: Final = "duplicate name"
UNKNOWN_MODE: Final = "unknown file mode"
ODD_MODE: Final = "file mode normalised"
ODD_ORDER: Final = "tree order normalised"

Entry = tuple[bytes, bytes, bytes]  # mode as git writes it, name, raw id

_ENTRY: Final = {n: re.compile(rb"([0-7]+) ([^\0]*)\0(.{%d})" % n, re.DOTALL) for n in (20, 32)}
_NORMAL: Final = {
    n: re.compile(rb"(?:(?:100644|100755|120000|40000) [^/\0]++\0.{%d})*+" % n, re.DOTALL)
    for n in (20, 32)
}
_COMMIT: Final = {
    n: re.compile(rb"tree ([0-9a-f]{%d})\n((?:parent [0-9a-f]{%d}\n)*)" % (2 * n, 2 * n))
    for n in (20, 32)
}
_TAG: Final = {
    n: re.compile(rb"object ([0-9a-f]{%d})\ntype (blob|tree|commit|tag)\n" % (2 * n))
    for n in (20, 32)
}
_RESERVED: Final = frozenset({b".", b"..", b".git", b".muse"})
_TREE_MODE: Final = b"40000"
_CANONICAL: Final = {stat.S_IFDIR: _TREE_MODE, stat.S_IFLNK: b"120000"}
_SUBMODULE_TYPE: Final = 0o160000


class TreeProblem(NamedTuple):
    """One entry that Muse does not hold as git does.

    Attributes:
        kind: One of this module's constants.
        name: The entry's name.
    """

    kind: str
    name: bytes


class ParsedTree(NamedTuple):
    """A tree as Muse will hold it.

    Attributes:
        entries: Canonical modes, checked names, in git's order.
        problems: What was left out or normalised; empty when the tree is as git writes it today.
    """

    entries: list[Entry]
    problems: tuple[TreeProblem, ...]


class ParsedCommit(NamedTuple):
    """A commit, split where its ids end.

    Attributes:
        tree: Raw id.
        parents: Raw ids.
        rest: Everything from ``author`` on, untouched.
    """

    tree: bytes
    parents: tuple[bytes, ...]
    rest: bytes


class ParsedTag(NamedTuple):
    """An annotated tag, split where its id ends.

    Attributes:
        target: Raw id of what it names.
        kind: The type of that.
        rest: Everything from ``tag`` on, untouched.
    """

    target: bytes
    kind: bytes
    rest: bytes


def parse_tree(payload: bytes, id_size: int) -> ParsedTree:
    """Split a git tree into entries that Muse can hold.

    Raises:
        ValueError: It is not a tree.
    """
    entries: list[Entry] = _ENTRY[id_size].findall(payload)
    if _NORMAL[id_size].fullmatch(payload):
        names = {entry[1] for entry in entries}
        keys = [_sort_key(entry) for entry in entries]
        if (
            len(names) == len(entries)
            and _RESERVED.isdisjoint(names)
            and keys == sorted(keys)
            and not (CASE_FOLDING and any(map(is_reserved_name, names)))
        ):
            return ParsedTree(entries, ())
    if sum(len(m) + len(n) + 2 + id_size for m, n, _ in entries) != len(payload):
        raise ValueError("not a tree")
    return _normalised(entries)


def _sort_key(entry: Entry) -> bytes:
    return entry[1] + b"/" if entry[0] == _TREE_MODE else entry[1]


def _normalised(entries: list[Entry]) -> ParsedTree:
    problems: list[TreeProblem] = []
    kept: list[Entry] = []
    seen: set[bytes] = set()
    for written, name, raw in entries:
        mode = _canonical_mode(int(written, 8))
        if mode is None:
            is_submodule = stat.S_IFMT(int(written, 8)) == _SUBMODULE_TYPE
            problems.append(TreeProblem(SUBMODULE if is_submodule else UNKNOWN_MODE, name))
        elif not name or b"/" in name or name in _RESERVED or is_reserved_name(name):
            problems.append(TreeProblem(UNSAFE_NAME, name))
        elif name in seen:
            problems.append(TreeProblem(DUPLICATE, name))
        else:
            if mode != written:
                problems.append(TreeProblem(ODD_MODE, name))
            seen.add(name)
            kept.append((mode, name, raw))
    ordered = sorted(kept, key=_sort_key)
    if ordered != kept:
        first = next(new[1] for new, old in zip(ordered, kept, strict=True) if new != old)
        problems.append(TreeProblem(ODD_ORDER, first))
    return ParsedTree(ordered, tuple(problems))


def _canonical_mode(mode: int) -> bytes | None:
    if stat.S_ISREG(mode):
        # Old versions of git stored group write permission.
        return b"100755" if mode & 0o100 else b"100644"
    return _CANONICAL.get(stat.S_IFMT(mode))


def format_tree(entries: Iterable[Entry], new_id: Callable[[bytes], bytes]) -> bytes:
    """Join entries, each id exchanged; what ``new_id`` raises passes through."""
    return b"".join([b"%b %b\0%b" % (mode, name, new_id(raw)) for mode, name, raw in entries])


def is_tree_mode(mode: bytes) -> bool:
    """Tell whether an entry's canonical mode says that it is a folder."""
    return mode == _TREE_MODE


def parse_commit(payload: bytes, id_size: int) -> ParsedCommit:
    """Split a commit.

    Raises:
        ValueError: It does not begin as a commit does.
    """
    match = _COMMIT[id_size].match(payload)
    if match is None:
        raise ValueError("not a commit")
    parents = match[2].split()[1::2]
    return ParsedCommit(
        bytes.fromhex(match[1].decode()),
        tuple(bytes.fromhex(p.decode()) for p in parents),
        payload[match.end() :],
    )


def format_commit(tree: bytes, parents: Iterable[bytes], rest: bytes) -> bytes:
    """Join a commit from raw ids and the untouched rest."""
    lines = [b"tree %b\n" % tree.hex().encode()]
    lines += [b"parent %b\n" % parent.hex().encode() for parent in parents]
    return b"".join([*lines, rest])


def parse_tag(payload: bytes, id_size: int) -> ParsedTag:
    """Split an annotated tag.

    Raises:
        ValueError: It does not begin as a tag does.
    """
    match = _TAG[id_size].match(payload)
    if match is None:
        raise ValueError("not a tag")
    return ParsedTag(bytes.fromhex(match[1].decode()), match[2], payload[match.end() :])


def format_tag(target: bytes, kind: bytes, rest: bytes) -> bytes:
    """Join a tag from a raw id and the untouched rest."""
    return b"object %b\ntype %b\n%b" % (target.hex().encode(), kind, rest)


def split(
    kind: str, payload: bytes, id_size: int
) -> tuple[list[bytes], Callable[[Mapping[bytes, bytes]], bytes]]:
    """Return the ids that a payload names, and what joins it again with each of them exchanged.

    Raises:
        ValueError: The payload is not of that type.
    """
    if kind == "tree":
        entries = parse_tree(payload, id_size).entries
        names = [raw for _, _, raw in entries]
        return names, lambda new: format_tree(entries, new.__getitem__)
    if kind == "commit":
        commit = parse_commit(payload, id_size)
        names = [commit.tree, *commit.parents]
        return names, lambda new: format_commit(
            new[commit.tree], [new[parent] for parent in commit.parents], commit.rest
        )
    tag = parse_tag(payload, id_size)
    return [tag.target], lambda new: format_tag(new[tag.target], tag.kind, tag.rest)


def is_signed(rest: bytes, *, tag: bool = False) -> bool:
    """Tell whether a commit's headers, or a tag's message, hold a signature."""
    if tag:
        return b"\n-----BEGIN " in rest
    return b"\ngpgsig" in rest.partition(b"\n\n")[0]


def repair_people(rest: bytes) -> bytes:
    """Write the author, committer and tagger lines so that each has an address and a time.

    Some programs wrote lines that git itself only reads with a shrug: no ``>``, no time. What can
    be read of them stays; a time that cannot be read becomes 0, as git takes it.
    """
    head, blank, message = rest.partition(b"\n\n")
    lines = head.split(b"\n")
    for number, line in enumerate(lines):
        role, _, value = line.partition(b" ")
        if role in {b"author", b"committer", b"tagger"}:
            lines[number] = role + b" " + _repaired(value)
    return b"\n".join(lines) + blank + message


def _repaired(value: bytes) -> bytes:
    name, _, after = value.partition(b"<")
    match = re.search(rb"(-?\d{1,18})(?: ([+-]\d{1,6}))?\s*\Z", after)
    email = after[: match.start()] if match else after
    time_s, zone = (int(match[1]), match[2] or b"+0000") if match else (0, b"+0000")
    name, email = (part.translate(None, b"<>\0").strip() for part in (name, email))
    return b"%b <%b> %d %b" % (name, email, time_s, zone)
