"""The command `muse`: parse, dispatch, and the one place where errors become exit codes.

Exit codes: 0 ok · 1 refused or failed · 2 usage, or not a repository · 3 damaged storage or I/O ·
4 no such ref, path or object · 5 remote · 70 a bug · 130 interrupted · 141 the reader went away.
With ``--json`` exactly one JSON object is written to stdout, whatever happens.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # start-up time: 'muse --version' needs none of this
    from collections.abc import Sequence
    from pathlib import Path

    from muse.cli.context import Result
    from muse.cli.invocation import Invocation

EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: The arguments after the program's name. None, as the installed command has it,
            takes those of the process, and ends the process.

    Returns:
        The exit code; success is reported only after stdout took everything.
    """
    if argv is not None:
        return _run_safely(list(argv))
    # Start-up time: a short process has no garbage worth a search, and nothing to tear down.
    # Whatever must be on disk is there before a command returns, as kill -9 may come any time.
    gc.set_threshold(50_000, 20, 20)
    code = _run_safely(sys.argv[1:], early=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
    os._exit(code)


def _run_safely(arguments: list[str], *, early: bool = False) -> int:
    try:
        return _run(arguments, early=early)
    except BaseException as error:  # noqa: BLE001  # the one place that turns errors into exits
        return _fail(error, arguments)
    finally:
        if early and "muse.core.early_scan" in sys.modules:
            sys.modules["muse.core.early_scan"].end()


def _run(arguments: list[str], *, early: bool) -> int:
    if arguments == ["--version"]:
        return _print_version()
    from muse.cli.invocation import parse_invocation

    invocation = parse_invocation(arguments)
    runs_command = invocation.verb and not (invocation.help or invocation.version)
    if runs_command:
        _change_folder(invocation.directories)
    if early and runs_command and _looks_at_all_files(invocation):
        # Start-up time: files are looked at while the rest is loading.
        from muse.core import early_scan

        early_scan.begin(os.environ)
    from muse.cli import output

    output.prepare_streams()
    from muse.cli.parsing import HelpRequested

    try:
        result, paged = _dispatch(invocation), invocation.verb
    except HelpRequested as help_text:
        from muse.cli.context import Result

        text = str(help_text)
        result, paged = Result({"help": text}, text), "help"
    _show(result, invocation, paged=paged)
    return result.exit_code


def _looks_at_all_files(invocation: Invocation) -> bool:
    """Tell whether a command line is one of those that begin with a look at every file."""
    verb, arguments = invocation.verb, invocation.arguments
    if verb == "add":
        return arguments in (["."], ["-A"], ["--all"])
    return verb == "status" or (verb == "diff" and not arguments)


def _print_version() -> int:
    """Print the version with nothing imported: prompts and build scripts ask for it."""
    from muse import __version__

    try:
        print(f"muse {__version__}", flush=True)
    except OSError as error:
        from muse.cli.output import refuse

        raise refuse(error) from error
    return 0


def _dispatch(invocation: Invocation) -> Result:
    from muse.cli.context import Context, Result
    from muse.cli.output import wants_color

    if invocation.version:
        from muse import __version__

        return Result({"version": __version__}, f"muse {__version__}")
    if invocation.help or not invocation.verb:
        from muse.cli.help import overview

        return overview(asked=invocation.help, verb=invocation.verb)
    from muse.cli.parsing import parse_arguments

    command, args = parse_arguments(invocation.verb, invocation.arguments)
    ctx = Context(
        _current_folder(),
        os.environ,
        json=invocation.json,
        color=wants_color(invocation.color, os.environ) and not invocation.json,
        silent=getattr(args, "silent", False),
        command=f"muse {invocation.verb}",
    )
    try:
        result = command.run(ctx, args)
    finally:
        ctx.end_progress()
    if ctx.silent:
        result = result._replace(text="", notes=())
    # A program has no use for what to type next, but for warnings it has.
    notes = ctx.notes if invocation.json else [*result.notes, *ctx.notes]
    return result._replace(notes=tuple(notes))


def _show(result: Result, invocation: Invocation, *, paged: str) -> None:
    from muse.cli import output
    from muse.cli.registry import PAGED

    if invocation.json:
        output.write_json(result.data)
    elif result.raw is not None:
        output.write_raw(result.raw, terminal=output.is_terminal(sys.stdout))
    elif result.text:
        terminal = output.is_terminal(sys.stdout)
        if terminal and invocation.pager and paged in PAGED:
            from muse.cli.pager import show_paged

            show_paged(result.text, os.environ)
        else:
            output.write_text(result.text, terminal=terminal)
    output.flush()
    for note in result.notes:
        output.write_message("", note)


def _change_folder(folders: list[str]) -> None:
    from muse.core.errors import UsageError

    for folder in folders:
        try:
            os.chdir(folder)
        except OSError as error:
            raise UsageError(
                f"Cannot go to '{folder}': {os.strerror(error.errno or 0)}.",
                hint="-C takes an existing folder.",
            ) from error


def _current_folder() -> Path:
    from pathlib import Path

    from muse.core.errors import UsageError

    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError(
            "The current folder no longer exists.", hint="Go to one that does, with 'cd'."
        ) from error


def _fail(error: BaseException, arguments: list[str]) -> int:
    """Report an error and return its exit code."""
    from muse.cli import output
    from muse.cli.invocation import wants_json
    from muse.core.errors import IoFailedError, NothingToCommitError

    if isinstance(error, output.OutputClosedError):
        return EXIT_OUTPUT_CLOSED
    if isinstance(error, SystemExit) and isinstance(error.code, int | None):
        return error.code or 0
    message, hint, code = _describe(error)
    if code == EXIT_BUG:
        _show_traceback(error)
    try:
        if wants_json(arguments) and not output.is_stdout_lost():
            kind = type(error).__name__
            output.write_json({"error": message, "hint": hint, "exit_code": code, "kind": kind})
            output.flush()
            return code
        output.flush()
    except output.OutputClosedError:
        return EXIT_OUTPUT_CLOSED
    except IoFailedError as failed:
        output.write_message("error", failed.message, hint=failed.hint)
    if isinstance(error, NothingToCommitError):
        # An everyday answer, which scripts and prompts show: one line.
        message, hint = f"{message} {hint}", ""
    output.write_message("error", message, hint=hint)
    return code


def _show_traceback(error: BaseException) -> None:
    import traceback

    from muse.cli.output import write_stderr
    from muse.core.paths import show_text

    write_stderr(show_text("".join(traceback.format_exception(error)), keep="\n"))


def _describe(error: BaseException) -> tuple[str, str, int]:
    """Return message, hint and exit code of an error."""
    from muse.core.errors import IoFailedError, MuseError

    if isinstance(error, OSError) and _is_refusal(error):
        where = os.fsdecode(error.filename) if error.filename else "no file named"
        error = IoFailedError("finish", path=where, error=error)
    if isinstance(error, MuseError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, KeyboardInterrupt):
        notes = getattr(error, "__notes__", ())
        return "interrupted; nothing that was reported is lost", " ".join(notes), EXIT_INTERRUPTED
    if isinstance(error, MemoryError):
        return "not enough memory", "Close other programs, then run the command again.", 3
    if isinstance(error, SystemExit):
        return str(error.code), "", 1
    return (
        f"{type(error).__name__}: {error}",
        "This is a bug in muse; please report it with the lines above.",
        EXIT_BUG,
    )


def _is_refusal(error: OSError) -> bool:
    """Tell whether the system refused, as against a mistake of ours."""
    import errno

    return error.errno in {
        errno.EACCES, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
        errno.ENOSPC, errno.EPERM, errno.EROFS, errno.ESTALE,
    }  # fmt: skip
