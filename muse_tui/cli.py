"""``muse-tui [DIR]``: start the interface.

The order is what makes it fast: the engine's process first, so that its scan runs while this one
imports Textual; before both the guard, which must stay small.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from muse_tui import guard

USAGE = """\
usage: muse-tui [DIR]

The terminal interface of Muse, for the repository at or above DIR (default: here).

options:
  -h, --help     show this help and leave
  --version      show the version and leave
  --no-guard     run without the parent that restores the terminal after a crash

keys:
  ?  all keys    space  stage    c  commit    P  push    z  undo    q  quit
"""


def main(arguments: list[str] | None = None) -> int:
    """Run ``muse-tui`` and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    folders = []
    guarded = True
    for argument in given:
        if argument in {"-h", "--help"}:
            print(USAGE, end="")
            return 0
        if argument == "--version":
            from importlib.metadata import version  # start-up time

            print(f"muse-tui {version('muse')}")
            return 0
        if argument == "--no-guard":
            guarded = False
        elif argument.startswith("-") and argument != "-":
            return _refuse(f"unknown option '{argument}'")
        else:
            folders.append(argument)
    if len(folders) > 1:
        return _refuse("one folder at most")
    start = Path(folders[0] if folders else ".").absolute()
    if not start.is_dir():
        return _refuse(f"'{start}' is not a folder")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _refuse("this needs a terminal; 'muse status' and its friends do not")
    if not guarded:
        return run(start)
    return guard.run_guarded(lambda: run(start), farewell=lambda number: farewell(start, number))


def _refuse(problem: str) -> int:
    print(f"error: {problem}.\nhint: 'muse-tui --help' shows how it is called.", file=sys.stderr)
    return 2


def run(start: Path) -> int:
    """Run the interface in this process."""
    from muse_tui.engine_process import EngineProcess

    process = EngineProcess(start)  # first: it works while Textual is imported
    settle_memory()
    # Textual reads this once, when it is imported: what is dirty is painted at most so often. At
    # its own 60 a key waits up to 17 ms before its row is even drawn. Nothing is painted in vain.
    fps = os.environ.get("TEXTUAL_FPS")
    os.environ["TEXTUAL_FPS"] = fps or "120"
    from muse_tui.app import MuseApp
    from muse_tui.link import EngineLink

    if fps is None:
        del os.environ["TEXTUAL_FPS"]  # an editor or a job inherits nothing of ours
    gc.freeze()  # code is no garbage
    app = MuseApp(start, EngineLink(start, process))
    code = app.run()
    if app.return_code:
        return app.return_code
    return code or 0


def settle_memory() -> None:
    """Have the search for garbage start rarely.

    It looks at every row of a list, which takes 50 ms with a hundred thousand of them, and a key
    waits meanwhile. Rows hold no cycles: they go by themselves.
    """
    gc.set_threshold(50_000, 20, 20)


def farewell(start: Path, number: int) -> str:
    """Return what is told after a death by signal: that nothing is lost, and where the draft is."""
    import signal

    from muse_tui.backend import drafts

    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    lines = [f"muse-tui ended by {name}. What was staged and committed is stored."]
    for root in (start, *start.parents):
        if (root / ".muse").is_dir():
            if drafts.read_draft(root).text.strip():
                lines.append(f"Your commit message is kept in {drafts.draft_path(root)}.")
            break
    lines.append("Start muse-tui again to go on.")
    return os.linesep.join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
