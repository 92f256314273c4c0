"""Merge bases, ancestors, ahead and behind: git's answers, from few commits."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.ancestry import AheadBehind, ahead_behind, is_ancestor, merge_bases
from muse.core.types import RawId
from tests.conftest import Run
from tests.core.histories import START_S, History, Plan, build, plans


@given(plan=plans(skew=True), data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_answers_are_gits(git: Run, plan: Plan, data: st.DataObject) -> None:
    """Merge bases and ancestry are git's; ahead and behind are what the sets say."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), git)
        made = build(history, plan)
        one, two = data.draw(st.sampled_from(made)), data.draw(st.sampled_from(made))
        result = history.ask_git("merge-base", "--all", one.hex(), two.hex(), check=False)
        assert [raw.hex() for raw in merge_bases(history.graph, one, two)] == result.split()
        ours, theirs = _ancestors(history, one), _ancestors(history, two)
        assert is_ancestor(history.graph, one, two) == (one in theirs)
        counts = ahead_behind(history.graph, one, two)
        assert counts == AheadBehind(len(ours - theirs), len(theirs - ours))


@given(plan=plans(), data=st.data())
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_merge_base_of_many_is_gits(git: Run, plan: Plan, data: st.DataObject) -> None:
    """With more than two commits, the others count as one merge."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder), git)
        made = build(history, plan)
        picked = data.draw(st.lists(st.sampled_from(made), min_size=3, max_size=4))
        result = history.ask_git("merge-base", "--all", *(p.hex() for p in picked), check=False)
        assert [raw.hex() for raw in merge_bases(history.graph, *picked)] == result.split()


def test_ahead_of_upstream_reads_little(tmp_path: Path, git: Run) -> None:
    """Two commits ahead of an upstream with a long history cost a few reads, not the history."""
    history = History(tmp_path, git)
    line: list[RawId] = []
    for number in range(300):
        line.append(history.commit(line[-1:], time_s=START_S + number))
    graph = history.graph
    assert ahead_behind(graph, line[-1], line[-3]) == AheadBehind(2, 0)
    assert graph.commits_read < 60
    assert ahead_behind(graph, line[-1], line[-1]) == AheadBehind(0, 0)
    graph = history.graph
    assert is_ancestor(graph, line[-3], line[-1])
    assert graph.commits_read < 10


def _ancestors(history: History, tip: RawId) -> set[RawId]:
    found: set[RawId] = set()
    stack = [tip]
    while stack:
        raw = stack.pop()
        if raw not in found:
            found.add(raw)
            stack.extend(history.graph.node(raw).parents)
    return found
