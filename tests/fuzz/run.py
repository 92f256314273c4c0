"""The coverage-guided fuzzer over the same entry points: ``make fuzz TIME=600 ONLY=stage``.

A finding is written to ``tests/fuzz/found-<entry>-…``; put it into the corpus with its fix.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
MAX_MEMORY_MB: Final = 1024
MAX_SECONDS: Final = 5


def main(arguments: list[str]) -> int:
    """Fuzz each entry point in a process of its own: ``[seconds in all] [entry …]``."""
    # Before anything of Muse is imported: only what is imported later is instrumented.
    if arguments[:1] == ["--one"]:
        return fuzz(arguments[1], arguments[2:])
    from tests.fuzz.entries import ENTRIES

    seconds = int(arguments[0]) if arguments else 60
    names = arguments[1:] or list(ENTRIES)
    for name in names:
        with tempfile.TemporaryDirectory() as found:
            command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, found]
            command += [str(HERE / "corpus" / name), f"-artifact_prefix={HERE}/found-{name}-"]
            command += [f"-max_total_time={max(1, seconds // len(names))}", "-max_len=4096"]
            command += [f"-rss_limit_mb={MAX_MEMORY_MB}", f"-timeout={MAX_SECONDS}", "-verbosity=0"]
            if subprocess.run(command, check=False).returncode:
                return 1
        sys.stdout.write(f"{name}: nothing found\n")
    return 0


def fuzz(name: str, options: list[str]) -> int:
    """Fuzz one entry point in this process; the fuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["muse"]):
        from tests.fuzz.entries import feed

    def one(data: bytes) -> None:
        feed(name, data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
