"""The numbers of muse-tui in a real terminal: start, keys, refresh, storms, memory, idle, quit.

python -m benchmarks.interface [--files 100000] [--runs 3]

Each figure is printed beside what is asked for. They are wall times on whatever machine this is:
nothing gates on them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect
import pyte

from benchmarks.trees import make_tree

SCRIPTS = Path(sys.executable).parent
ENV = {
    **os.environ,
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "MUSE_AUTHOR_NAME": "Ada",
    "MUSE_AUTHOR_EMAIL": "ada@example.com",
    "PATH": f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}",
}
DEADLINE_S = 120.0


class Window:
    """muse-tui in a terminal of 120×40."""

    def __init__(self, root: Path) -> None:
        environ = {name: value for name, value in ENV.items() if name not in {"COLUMNS", "LINES"}}
        self.screen = pyte.Screen(120, 40)
        self.stream = pyte.ByteStream(self.screen)
        self.started = time.perf_counter()
        self.process = pexpect.spawn(
            str(SCRIPTS / "muse-tui"), cwd=str(root), env=environ, dimensions=(40, 120)
        )
        self.process.delaybeforesend = None

    def read(self, timeout_s: float = 0.005) -> bytes:
        """Take what was written."""
        try:
            data = self.process.read_nonblocking(1 << 16, timeout=timeout_s)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return b""
        self.stream.feed(data)
        return bytes(data)

    def until(self, text: str) -> float:
        """Wait for a text; seconds since the start."""
        deadline = time.perf_counter() + DEADLINE_S
        while text not in "\n".join(self.screen.display):
            self.read()
            if time.perf_counter() > deadline:
                raise TimeoutError(text)
        return time.perf_counter() - self.started

    def settle(self) -> None:
        """Read until nothing comes any more."""
        while self.read(0.03):
            pass

    def key(self, key: str) -> float:
        """Press a key; milliseconds until something is painted."""
        self.settle()
        start = time.perf_counter()
        self.process.send(key)
        self.process.read_nonblocking(1, timeout=5)
        return (time.perf_counter() - start) * 1e3

    def processes(self) -> dict[str, int]:
        """The three processes by name."""
        guard = self.process.pid
        interface = _children(guard)[0]
        return {"guard": guard, "interface": interface, "engine": _children(interface)[0]}

    def quit(self) -> float:
        """Leave; milliseconds until the process has ended."""
        self.settle()
        start = time.perf_counter()
        self.process.send("q")
        while self.process.isalive():
            self.read(0.001)
        return (time.perf_counter() - start) * 1e3


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _written(pid: int) -> int:
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def report(what: str, figure: str, bar: str) -> None:
    """Print one line."""
    print(f"{what:<46} {figure:>24}   {bar}", flush=True)


def spread(values: list[float]) -> str:
    """Median and 95th percentile."""
    ordered = sorted(values)
    return f"p50 {statistics.median(ordered):.0f}  p95 {ordered[int(len(ordered) * 0.95)]:.0f} ms"


def build(root: Path, files: int) -> None:
    """A committed tree of so many files, with a remote beside it."""
    root.mkdir(parents=True)
    make_tree(root, files)
    muse = str(SCRIPTS / "muse")
    for command in (
        (muse, "init"),
        (muse, "commit", "-m", "All of it"),
        (muse, "init", "--bare", str(root.parent / "origin")),
        (muse, "remote", "add", "origin", str(root.parent / "origin")),
        (muse, "status"),
    ):
        subprocess.run(command, cwd=root, env=ENV, check=True, capture_output=True)


def starts(root: Path, runs: int) -> None:
    """Start and quit, several times."""
    frames, ready, quits = [], [], []
    for _ in range(runs):
        window = Window(root)
        frames.append(window.until("Working tree") * 1e3)
        ready.append(window.until("● live") * 1e3)
        quits.append(window.quit())
    report("first frame", spread(frames), "≤ 450 ms")
    report("interactive, warm cache", spread(ready), "≤ 600 ms")
    report("quit", spread(quits), "≤ 300 ms")


def running(root: Path) -> None:
    """Keys, refreshes, a storm, memory and idleness of one window."""
    for number in range(60):
        (root / f"a-key-{number:02}.txt").write_text("x\n")
    window = Window(root)
    window.until("● live")
    report("key → paint, idle", spread([window.key("j") for _ in range(40)]), "≤ 20 ms p95")
    window.process.send("P")
    window.until("cancel")
    busy = [window.key("jk"[n % 2]) for n in range(40) if "cancel" in window.screen.display[38]]
    report(f"key → paint while pushing ({len(busy)} keys)", spread(busy or [0.0]), "≤ 20 ms p95")
    window.until("✔ Pushed")
    saved = []
    for number in range(20):
        path = root / f"0-saved-{99 - number}.txt"  # above the one before: in sight
        window.process.send("<")
        window.settle()
        start = time.perf_counter()
        path.write_text("x\n")
        window.until(path.name)
        saved.append((time.perf_counter() - start) * 1e3)
    report("file saved → row painted", spread(saved), "≤ 100 ms p95")
    pids = window.processes()
    memory = {name: _memory_mb(pid) for name, pid in pids.items()}
    shown = " + ".join(f"{memory[name]:.0f}" for name in ("interface", "engine", "guard"))
    report("memory: interface + engine + guard", f"{shown} MB", "≤ 120 MB")
    script = "import os\nos.mkdir('storm')\nfor n in range(40000): open(f'storm/{n}', 'w').close()"
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True)
    ended = time.perf_counter()
    window.until(f"{40_080:,} changed".replace(",", " "))
    report("40 000 new files → pane complete", f"{time.perf_counter() - ended:.2f} s", "≤ 2 s")
    shutil.rmtree(root / "storm")
    window.until("80 changed")
    window.settle()
    window.settle()
    time.sleep(3)
    before = {name: (_cpu_s(pid), _written(pid)) for name, pid in pids.items()}
    time.sleep(10)
    cpu = sum(_cpu_s(pid) - before[name][0] for name, pid in pids.items())
    written = sum(_written(pid) - before[name][1] for name, pid in pids.items())
    report("idle for 10 s", f"{cpu * 10:.1f} % CPU, {written} bytes", "≤ 0.5 %, 0 bytes")
    window.quit()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tree"
        print(f"building a tree of {options.files} files…", flush=True)
        build(root, options.files)
        starts(root, options.runs)
        running(root)


if __name__ == "__main__":
    main()
