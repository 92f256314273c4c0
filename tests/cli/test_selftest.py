"""``muse selftest --crash`` as a user runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from muse.cli.commands.selftest import lines
from muse.ops.selftest.run import JUDGED, run_selftest
from tests.crash import oracle

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def test_every_promise_is_judged_and_nothing_stays(tmp_path: Path) -> None:
    """G1-G6, G13: no violation, hundreds of crashes, and the folder is as it was."""
    code, text = oracle.run(tmp_path, "selftest", "--crash", "--json")
    report = json.loads(text)
    assert code == report["violations"] == 0
    assert report["crashes"] > 100
    assert {result["command"] for result in report["commands"]} >= {"init", "commit", "push"}
    assert all(set(result["violations"]) == set(JUDGED) for result in report["commands"])
    assert os.listdir(tmp_path) == []


def test_what_was_not_tried_is_said(tmp_path: Path) -> None:
    """No time at all: each command is killed once, no state is judged, and none counts as tried."""
    report = run_selftest(tmp_path, run=lambda at, words: oracle.run(at, *words), budget_s=0)
    assert [(result.kills, result.distinct) for result in report.commands] == [(1, 0)] * 6
    assert all(result.left_out > 20 for result in report.commands)
    assert report.tried == 6
    assert f"no time for {report.left_out} more states (init, add, " in "\n".join(lines(report))
