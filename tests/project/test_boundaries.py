"""The rules of ARCHITECTURE.md that no import checker can hold, read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("muse", "muse_tui")
RENAMES_AND_SYNCS = {"rename", "replace", "fsync", "fdatasync", "link", "syncfs"}


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield (path, parsed module) of every source below some folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (object, method) of each call of the form ``object.method(…)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base = node.func.value
            yield (base.id if isinstance(base, ast.Name) else "", node.func.attr)


def test_only_io_renames_and_syncs() -> None:
    """Every rename, hard link and sync of the product is in one module, and can be found there."""
    found = {
        path
        for path, tree in sources(*PACKAGES)
        for base, name in calls(tree)
        if base == "os" and name in RENAMES_AND_SYNCS
    }
    assert found == {"muse/core/io.py"}


def test_only_codec_imports_msgpack() -> None:
    """One door to msgpack, where its errors and limits are handled."""
    found = {
        path
        for path, tree in sources(*PACKAGES)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(a.name == "msgpack" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "msgpack")
    }
    assert found == {"muse/core/codec.py"}


def test_only_temps_knows_the_names_of_temps() -> None:
    """No other module spells a temp's prefix in its code."""
    prefixes = (".obj-tmp-", ".restore-tmp-", ".muse-tmp-", ".stat_cache_")
    found = set()
    for path, tree in sources(*PACKAGES):
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
                and any(prefix in node.value for prefix in prefixes)
            ):
                found.add(path)
    assert found == {"muse/core/temps.py"}


def test_the_library_neither_prints_nor_exits() -> None:
    """Core, remotes and ops return and raise; only `require_repo` exits, as its page says."""
    found = set()
    for path, tree in sources("muse/core", "muse/remotes", "muse/ops"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in {"print", "input", "SystemExit"}:
                found.add((path, node.id))
            if isinstance(node, ast.Attribute) and node.attr == "environ":
                found.add((path, "environ"))
    found.discard(("muse/core/repo.py", "SystemExit"))
    found.discard(("muse/core/repo.py", "environ"))
    # ssh is the user's own program, chosen by their environment (G16).
    found.discard(("muse/remotes/ssh.py", "environ"))
    # As are the endpoint and the credentials of an object store.
    found.discard(("muse/remotes/bucket_cloud.py", "environ"))
    # git is started in the user's environment, less what would lead it elsewhere.
    found = {item for item in found if not item[0].startswith("muse/ops/git_bridge/")}
    assert found == set()


def test_every_guarantee_is_cited_by_a_test() -> None:
    """GUARANTEES.md promises nothing that no test names."""
    promised = set(re.findall(r"^\| (G\d+) \|", (ROOT / "GUARANTEES.md").read_text(), re.MULTILINE))
    cited = {
        number
        for path in (ROOT / "tests").rglob("test_*.py")
        for number in re.findall(r"\bG\d+\b", path.read_text(encoding="utf-8"))
    }
    assert len(promised) == 17
    assert promised <= cited, sorted(promised - cited)


def test_every_test_says_what_is_true() -> None:
    """Each test function has a docstring."""
    missing = [
        f"{path}::{node.name}"
        for path, tree in sources("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert missing == []


def test_files_stay_readable() -> None:
    """No source of the product is longer than 400 lines."""
    long = [
        (path, lines)
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    ]
    assert long == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the project's own history")
def test_nothing_names_a_machine() -> None:
    """The project speaks of itself: no path of somebody's home."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    pattern = re.compile(rb"(?<![\w.])/(?:home/[a-z]+|root)/")
    named = [
        name.decode()
        for name in files
        if name and (ROOT / name.decode()).is_file() and not name.startswith(b"tests/")
        and pattern.search((ROOT / name.decode()).read_bytes())
    ]  # fmt: skip
    assert named == []
