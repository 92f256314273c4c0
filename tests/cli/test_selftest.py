"""``muse selftest --crash`` as a user runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from muse.ops.selftest.run import JUDGED
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
