"""GUARANTEES.md names tests that exist, run, and say the same (every G is held by one)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_CITED = re.compile(r"\bG(\d+)(?:(?:-| to )G(\d+))?")
_SKIPS = re.compile(r"\b(skip|skipif|xfail)\b")
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def numbers(text: str) -> set[int]:
    """Return the guarantees that a text cites, ranges included."""
    found: set[int] = set()
    for first, last in _CITED.findall(text):
        found.update(range(int(first), int(last or first) + 1))
    return found


def rows() -> dict[int, list[tuple[str, str]]]:
    """Return for each guarantee the tests that the table names: file and name."""
    text = (ROOT / "GUARANTEES.md").read_text(encoding="utf-8")
    table = text.partition("## Which test holds what")[2].partition("\n## ")[0]
    return {
        int(line[3:].split(" ")[0]): _NAMED.findall(line)
        for line in table.splitlines()
        if line.startswith("| G")
    }


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Return the node ids that pytest collects in the files named, without parameters."""
    files = sorted({file for tests in rows().values() for file, _ in tests})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}


def find_function(file: str, name: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]:
    """Return a test's definition, and what marks it and its class."""
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    marks = ""
    for part in name.split("::"):
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name == part:
                marks += " ".join(ast.unparse(mark) for mark in node.decorator_list)
                if not isinstance(node, ast.ClassDef):
                    return node, marks
                body = node.body
                break
    raise AssertionError(f"{file} has no {name}")


def test_each_guarantee_has_a_row() -> None:
    """None is left without a test."""
    found = rows()
    assert sorted(found) == list(range(1, 18))
    assert [number for number, tests in found.items() if not tests] == []


@pytest.mark.parametrize("number", range(1, 18))
def test_the_tests_named_run_and_say_so(number: int, collected: set[str]) -> None:
    """One that is gone, is not collected, may be skipped, or speaks of another does not count."""
    for file, name in rows()[number]:
        assert f"{file}::{name}" in collected
        function, marks = find_function(file, name)
        assert number in numbers(ast.get_docstring(function) or ""), f"{name} cites no G{number}"
        assert not _SKIPS.search(marks), f"{name} may be skipped"
        calls = [ast.unparse(node) for node in ast.walk(function) if isinstance(node, ast.Call)]
        assert not [call for call in calls if _SKIPS.search(call.partition("(")[0])], name


def test_the_check_can_fail() -> None:
    """Ranges are counted, and other numbers are not."""
    assert numbers("G1-G3, G5: and G7 to G8, not 4 or G") == {1, 2, 3, 5, 7, 8}
    with pytest.raises(AssertionError, match="has no"):
        find_function("tests/project/test_guarantees.py", "test_that_is_not_there")
