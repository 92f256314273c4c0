"""Run commands in a child under the recorder, and check that nothing was missed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from muse.core import codec
from muse.ops.selftest.recorder import Recorder, RecordingError
from muse.ops.selftest.tree import REPORTED, Node, Op, Tree

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it
_ENOUGH_BYTES: Final = 64 << 20

Runner = Callable[[Path, Sequence[str]], tuple[int, str]]


class Stage(NamedTuple):
    """What a repository says once a number of commands have reported.

    Attributes:
        at: How many operations were done by then.
        seen: What the observer saw; see `muse.ops.selftest.judge.observe`.
    """

    at: int
    seen: str


class Recording(NamedTuple):
    """A run of commands.

    Attributes:
        before: The folder as it was, all of it durable.
        nodes: Every node that there ever was, without bytes that were written.
        ops: What was done, in order.
        stages: Before the first command, and after each.
        code: The last command's exit code; the first that is not 0 ends the run.
        output: What they printed.
        after: The folder as it is now.
    """

    before: Tree
    nodes: dict[int, Node]
    ops: tuple[Op, ...]
    stages: tuple[Stage, ...]
    code: int
    output: str
    after: Tree


def record(
    root: Path,
    commands: Sequence[Sequence[str]],
    *,
    run: Runner,
    observe: Callable[[Path], str],
) -> Recording:
    """Run commands in a child, one after the other, and return what they did.

    Args:
        root: The folder that is recorded, and where they run.
        commands: The words of each.
        run: Runs one in this process: (folder, words) -> (exit code, output).
        observe: Says what the repositories below the folder say, without writing.

    Raises:
        RecordingError: The recording does not end in what is on disk.
    """
    root = root.resolve()
    before = Tree.scan(root)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        real_write, code = os.write, 1
        try:
            data = codec.pack(_run_recorded(root, commands, run, observe))
            rest = memoryview(data)
            while rest:
                rest = rest[real_write(writer, rest) :]
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    if not data:
        raise RecordingError("The recorded command did not come to an end.")
    value = codec.unpack(data)
    if not isinstance(value, list):
        raise RecordingError("The recorded command did not say what it did.")
    ops = tuple(Op(*op) for op in value[0])
    nodes = before.nodes | {number: Node(*node) for number, node in value[1]}
    after = Tree.scan(root)
    _compare(before, nodes, ops, after)
    stages = tuple(Stage(*stage) for stage in value[2])
    return Recording(before, nodes, ops, stages, value[3], value[4], after)


def _run_recorded(
    root: Path, commands: Sequence[Sequence[str]], run: Runner, observe: Callable[[Path], str]
) -> list[object]:
    stages = [Stage(0, observe(root))]
    recorder = Recorder(root)
    recorder.install()
    code, output = 0, ""
    for words in commands:
        code, text = run(root, words)
        output += text
        recorder.ops.append(Op(REPORTED))
        stages.append(Stage(len(recorder.ops), observe(root)))
        if code:
            break
    return [
        [list(op) for op in recorder.ops],
        [(number, list(node)) for number, node in recorder.made.items()],
        [list(stage) for stage in stages],
        code,
        output,
    ]


def _compare(before: Tree, nodes: dict[int, Node], ops: tuple[Op, ...], after: Tree) -> None:
    """Refuse a recording that does not lead from one folder to the other."""
    tree = Tree()
    tree.nodes = dict(nodes)
    tree.names = {number: dict(names) for number, names in before.names.items()}
    for op in ops:
        tree.apply(op)
    recorded = {(path, kind, data) for path, kind, _, data in tree.listing()}
    found = {(path, kind, data) for path, kind, _, data in after.listing()}
    wrong = sorted({item[0] for item in recorded ^ found})
    if wrong:
        raise RecordingError(
            f"The recording misses what happened to {', '.join(wrong[:5])}.",
            hint="This is a mistake of the self-test, not of the repository.",
        )


def memory_folder() -> Path | None:
    """Return a folder in memory for the states, or None when there is none."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return _MEMORY if usable and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES else None
