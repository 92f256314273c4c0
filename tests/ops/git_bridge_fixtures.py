"""Git repositories made for the bridge's tests: random histories, and odd objects by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from muse.core.repo import Repository, open_repo
from muse.core.types import RawId, from_raw
from muse.ops.init import init

FORMATS = ("sha1", "sha256")


def run_git(*arguments: str | bytes, cwd: Path, data: bytes | None = None) -> bytes:
    """Run git to its end and return its output; it must succeed."""
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, (arguments, done.stderr.decode(errors="replace"))
    return done.stdout


def git_text(*arguments: str, cwd: Path) -> str:
    """Run git and return its output as text without the last newline."""
    return run_git(*arguments, cwd=cwd).decode().rstrip("\n")


def make_git(path: Path, *, object_format: str = "sha1", bare: bool = True) -> Path:
    """Create an empty git repository."""
    path.mkdir(parents=True)
    arguments = ["init", "-q", f"--object-format={object_format}", "-b", "main"]
    run_git(*arguments, *(["--bare"] if bare else []), cwd=path)
    return path


def make_muse(path: Path, *, bare: bool = True) -> Repository:
    """Create an empty Muse repository."""
    init(path, bare=bare)
    return open_repo(path)


def write_object(path: Path, kind: str, payload: bytes) -> str:
    """Put an object into a git repository, whatever git thinks of it; return its hex id."""
    arguments = ["hash-object", "-w", "-t", kind, "--literally", "--stdin"]
    return run_git(*arguments, cwd=path, data=payload).decode().strip()


def git_ids(path: Path) -> set[str]:
    """Return the hex ids of everything that git reaches from its branches and tags."""
    said = run_git("rev-list", "--objects", "--no-object-names", "--branches", "--tags", cwd=path)
    return set(said.decode().split())


def muse_ids(repo: Repository) -> set[str]:
    """Return the hex ids of everything that is stored."""
    found: set[RawId] = set(repo.objects.iter_loose())
    for pack in repo.objects.packs():
        found.update(pack.ids())
    return {raw.hex() for raw in found}


def git_refs(path: Path) -> dict[str, str]:
    """Return git's branches and tags with their hex ids."""
    said = run_git(
        "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags", cwd=path
    )
    pairs = (line.rpartition(" ") for line in os.fsdecode(said).splitlines())
    return {name: digits for name, _, digits in pairs}


def muse_refs(repo: Repository) -> dict[str, str]:
    """Return our branches and tags with their hex ids."""
    return {name: oid.removeprefix("sha256:") for name, oid in repo.refs.iter("refs/")}


def sound(repo: Repository) -> bool:
    """Tell whether everything stored here hashes to its name and all that refs need is there."""
    from muse.remotes.walk import NewObjects

    fresh = open_repo(repo.root, do_sweep=False)
    tips = [RawId(bytes.fromhex(digits)) for digits in muse_refs(fresh).values()]
    for found in NewObjects(fresh.objects, tips):
        assert fresh.objects.is_whole(found.raw), from_raw(found.raw)
    return True


# -- random histories ----------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One file of one commit; no mode removes it."""

    path: bytes
    mode: str | None
    content: bytes


@dataclass(frozen=True)
class Made:
    """One commit of a random history: on which branch, merging which, changing what."""

    branch: int
    merges: tuple[int, ...]
    changes: tuple[Change, ...]
    message: bytes
    author: bytes
    time_s: int
    zone: str
    tag: str | None


_NAMES = st.sampled_from(
    [
        b"a",
        b"b",
        b"a.b",
        b"a-",
        b"a0",
        b"dir",
        b"\xff\xfe",
        "grüße".encode(),
        b"new\nline",
        b'q"uote',
        b".gitignore",
    ]
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(b"/".join)
_CHANGES = st.builds(
    Change,
    path=_PATHS,
    mode=st.sampled_from(["100644", "100644", "100755", "120000", None]),
    content=st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"same\n", b"x" * 5000])),
)
_COMMITS = st.builds(
    Made,
    branch=st.integers(0, 2),
    merges=st.lists(st.integers(0, 2), max_size=2, unique=True).map(tuple),
    changes=st.lists(_CHANGES, max_size=4).map(tuple),
    message=st.one_of(
        st.binary(max_size=30), st.sampled_from([b"", b"subject\n\nbody\n", b"\n\n"])
    ),
    author=st.sampled_from([b"Ada <ada@example.com>", b"\xe9mile <e@x>", b"<>", b"A  B <a b@c>"]),
    time_s=st.integers(0, 2_000_000_000),
    zone=st.sampled_from(["+0000", "-0330", "+1400"]),
    tag=st.sampled_from([None, None, None, "light", "annotated"]),
)
histories = st.lists(_COMMITS, min_size=1, max_size=12)


def stream_of(history: list[Made]) -> bytes:
    """Return the history as the stream that `git fast-import` reads."""
    parts: list[bytes] = []
    tips: dict[int, int] = {}
    for number, made in enumerate(history, start=1):
        who = b"%b %d %b\n" % (made.author, made.time_s, made.zone.encode())
        parts.append(b"commit refs/heads/b%d\nmark :%d\n" % (made.branch, number))
        parts += [b"author ", who, b"committer ", who]
        parts.append(b"data %d\n%b\n" % (len(made.message), made.message))
        if made.branch in tips:
            parts.append(b"from :%d\n" % tips[made.branch])
            others = [tips[o] for o in made.merges if o in tips and o != made.branch]
            parts += [b"merge :%d\n" % mark for mark in others]
        tips[made.branch] = number
        parts += _change_lines(made.changes)
        if made.tag == "light":
            parts.append(b"reset refs/tags/t%d\nfrom :%d\n\n" % (number, number))
        elif made.tag == "annotated":
            parts.append(b"tag t%d\nfrom :%d\ntagger %b" % (number, number, who))
            parts.append(b"data %d\n%b\n" % (len(made.message), made.message))
    return b"".join(parts)


def _change_lines(changes: tuple[Change, ...]) -> Iterator[bytes]:
    for change in changes:
        quoted = b'"' + b"".join(b"\\%03o" % byte for byte in change.path) + b'"'
        if change.mode is None:
            yield b"D %b\n" % quoted
        else:
            content = change.content.replace(b"\0", b"0") or b"x"
            content = content if change.mode == "120000" else change.content
            head = b"M %b inline %b\n" % (change.mode.encode(), quoted)
            yield head + b"data %d\n%b\n" % (len(content), content)


def load(path: Path, stream: bytes) -> Path:
    """Give a stream to `git fast-import`."""
    run_git("fast-import", "--quiet", "--force", cwd=path, data=stream)
    return path


def long_history(commits: int, *, first: int = 0, files: int = 40) -> bytes:
    """Return a stream of many small commits on main, with a merge and a tag now and then."""
    parts: list[bytes] = []
    for number in range(first, first + commits):
        who = b"Ada <ada@example.com> %d +0100\n" % (1_600_000_000 + number * 60)
        message = b"change %d\n" % number
        parts += [b"commit refs/heads/main\nmark :%d\n" % (number + 1), b"author ", who]
        parts += [b"committer ", who, b"data %d\n%b\n" % (len(message), message)]
        if number == first and first:
            parts.append(b"from refs/heads/main^0\n")
        if number - first > 20 and number % 10 == 0:
            parts.append(b"merge :%d\n" % (number - 7))
        path = b"src/part%d/file%d.txt" % (number % 7, number % files)
        content = b"".join(b"line %d of %d\n" % (line, number) for line in range(number % 50))
        parts.append(b"M 100644 inline %b\ndata %d\n%b\n" % (path, len(content), content))
        if number % 100 == 99:
            parts.append(b"tag v%d\nfrom :%d\ntagger %bdata 2\nv\n\n" % (number, number + 1, who))
    return b"".join(parts)


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that the bridge gets in tests."""
    return dict(os.environ) | dict(extra or {})
