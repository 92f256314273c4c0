"""``muse selftest``: the proof against crashes, on this machine and this file system."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muse.cli.context import Context, Result

if TYPE_CHECKING:  # start-up time
    from muse.ops.selftest.run import SelftestReport

SUMMARY = "kill the everyday commands, and see that nothing is lost"
EXAMPLES = (
    ("muse selftest --crash", "kills and power cuts, in a scratch folder, under a minute"),
    ("muse selftest --crash --dir /mnt/usb", "on another file system"),
    ("muse selftest --crash --json", "the counts for a program"),
)
# With one date a commit has one id, whichever second its repetition is made in.
_PERSON = {
    f"MUSE_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (
        ("NAME", "Self-test"),
        ("EMAIL", "selftest@localhost"),
        ("DATE", "1700000000 +0000"),
    )
}
_SHOWN = 5
_MODELS = {
    "kill": "a kill: all that was written is there",
    "ext4": "a power cut: names come in order, bytes late unless synced or renamed over a file",
    "xfs": "the same, without that exception; bytes may be zeros",
    "weak": "names come in any order, unless their folder or their file was synced",
    "posix": "only a sync of its folder keeps a name; bytes may be zeros or torn",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--crash", action="store_true", help="try kills and power cuts")
    parser.add_argument(
        "--dir", metavar="folder", default=".", help="where to make the scratch folder; default: ."
    )


def run(ctx: Context, args: argparse.Namespace) -> Result:
    """Run the test that was asked for; a broken promise is exit code 3."""
    if not args.crash:
        text = "There is one test: 'muse selftest --crash'."
        return Result({"tests": ["crash"]}, text)
    from muse.core.io import io_errors
    from muse.ops.selftest.run import run_selftest

    folder = ctx.cwd / args.dir
    with _own_environment(), io_errors("test in", folder):
        report = run_selftest(folder, run=_run, progress=ctx.progress("Crashing", "states"))
    return Result(_data(report), lines(report, color=ctx.color), 3 if report.findings else 0)


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Keep the user's repository, settings and folder out of it, and put all back."""
    before, here = dict(os.environ), os.getcwd()
    os.environ.pop("MUSE_REPO_ROOT", None)
    os.environ.update(_PERSON, HOME=os.devnull, XDG_CONFIG_HOME=os.devnull)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(here)


def _run(folder: Path, words: Sequence[str]) -> tuple[int, str]:
    """Run a command line in this process."""
    from muse.cli.main import main

    here, output = os.getcwd(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            code = main(["-C", os.fspath(folder), *words])
        finally:
            os.chdir(here)
    return code, output.getvalue()


def lines(report: SelftestReport, *, color: bool = False) -> list[str]:
    """Return a report as a person reads it."""
    from muse.cli.render import columns, paint, plural, show_text
    from muse.ops.selftest.models import MODELS
    from muse.ops.selftest.run import JUDGED

    rows = [["command", "operations", "real kills", *MODELS, "distinct states"]]
    rows += [
        [
            result.command,
            str(result.operations),
            str(result.kills),
            *(str(result.states[model]) for model in MODELS),
            str(result.distinct),
        ]
        for result in report.commands
    ]
    text = [
        "Each command was killed for real, and states that a crash may leave were made and judged:",
        *(f"  {model:<6} {words}" for model, words in _MODELS.items()),
        "",
        *columns(rows),
        "",
        "Broken promises, of how many crashes (GUARANTEES.md says more about each):",
        "",
    ]
    table = [["", "", *(result.command for result in report.commands)]]
    for guarantee, words in JUDGED.items():
        cells = []
        for result in report.commands:
            tried = result.kills + result.distinct
            if (guarantee == "G13") != (result.command == "recovery"):
                cells.append("")
                continue
            broken = report.violations(guarantee, result.command)
            share = f"{broken} of {tried}"
            cells.append(paint(share, "error" if broken else "good", on=color))
        table.append([guarantee, words, *cells])
    text += columns(table)
    text.append("")
    for finding in report.findings[:_SHOWN]:
        where = f"{finding.guarantee} {finding.command}, {finding.model} at {finding.point}"
        text.append(f"{paint(where, 'error', on=color)}: {show_text(finding.what)}")
    crashes, seconds = plural(report.tried, "crash", "crashes"), f"{report.time_s:.0f} s"
    text.append(f"{crashes} in {seconds}: {plural(len(report.findings), 'broken promise')}.")
    if report.left_out:
        few = ", ".join(result.command for result in report.commands if result.left_out)
        states = plural(report.left_out, "more state")
        text.append(f"There was no time for {states} ({few}): a less busy machine tries them.")
    return text


def _data(report: SelftestReport) -> dict[str, object]:
    from muse.core.paths import show_path
    from muse.ops.selftest.run import JUDGED

    return {
        "folder": show_path(os.fspath(report.folder)),
        "time_s": round(report.time_s, 1),
        "crashes": report.tried,
        "violations": len(report.findings),
        "commands": [
            {
                "command": result.command,
                "operations": result.operations,
                "kills": result.kills,
                "states": result.states,
                "distinct": result.distinct,
                "left_out": result.left_out,
                "violations": {
                    guarantee: report.violations(guarantee, result.command) for guarantee in JUDGED
                },
            }
            for result in report.commands
        ],
        "findings": [finding._asdict() for finding in report.findings],
    }
