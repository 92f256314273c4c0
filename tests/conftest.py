"""Isolation for every test: no user configuration, fixed people and dates, `muse` on PATH."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FIXED_ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0100",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "1700000000 +0100",
    "MUSE_AUTHOR_NAME": "Ada",
    "MUSE_AUTHOR_EMAIL": "ada@example.com",
    "MUSE_AUTHOR_DATE": "1700000000 +0100",
    "MUSE_COMMITTER_NAME": "Ada",
    "MUSE_COMMITTER_EMAIL": "ada@example.com",
    "MUSE_COMMITTER_DATE": "1700000000 +0100",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
UNSET = ("MUSE_REPO_ROOT", "EDITOR", "VISUAL", "PAGER", "NO_COLOR", "GIT_DIR", "XDG_CONFIG_HOME")

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each test its own home, fixed identities and the venv's scripts first on PATH."""
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    for name, value in FIXED_ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    scripts = sysconfig.get_path("scripts")
    monkeypatch.setenv("PATH", scripts + os.pathsep + os.environ["PATH"])


def _run(
    program: str, *arguments: str | bytes, cwd: Path, **options: object
) -> subprocess.CompletedProcess[bytes]:
    check = bool(options.pop("check", True))
    result: subprocess.CompletedProcess[bytes] = subprocess.run(  # type: ignore[call-overload]  # options pass through
        [program, *arguments], cwd=cwd, capture_output=True, check=False, **options
    )
    if check and result.returncode:
        raise AssertionError(
            f"{program} {arguments} exited {result.returncode}\n"
            f"{result.stdout.decode(errors='replace')}\n{result.stderr.decode(errors='replace')}"
        )
    return result


@pytest.fixture
def git() -> Run:
    """Run git: ``git("init", "--object-format=sha256", cwd=path)``."""
    return lambda *arguments, **options: _run("git", *arguments, **options)


@pytest.fixture
def muse() -> Run:
    """Run the installed command: ``muse("status", cwd=path)``; ``check=False`` lets it fail."""
    return lambda *arguments, **options: _run("muse", *arguments, **options)


NOBODY = 65534


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Drop the superuser's powers, if we have them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
