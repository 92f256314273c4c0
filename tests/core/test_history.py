"""Walks yield git's list, and read no more than they must."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muse.core.errors import ObjectNotFoundError
from muse.core.history import Order, walk
from muse.core.limits import Limits
from muse.core.types import RawId
from tests.conftest import Run
from tests.core.histories import START_S, History, Plan, build, plans

differential = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def ids(history: History, tips: list[RawId], **options: object) -> list[RawId]:
    """Walk and return the ids."""
    return [entry.raw for entry in walk(history.graph, tips, **options)]  # type: ignore[arg-type]  # test shorthand


def heads(made: list[RawId], plan: Plan) -> list[RawId]:
    """Return the commits that are nobody's parent, oldest first."""
    parents = {parent for parents, _, _ in plan for parent in parents}
    return [raw for number, raw in enumerate(made) if number not in parents]


class TestAgainstGit:
    @given(plan=plans(skew=True), data=st.data())
    @differential
    def test_date_order_is_gits(self, git: Run, plan: Plan, data: st.DataObject) -> None:
        """A plain walk and a range list what git lists, in its order, clocks right or wrong."""
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder), git)
            made = build(history, plan)
            tips = heads(made, plan)
            names = [tip.hex() for tip in tips]
            assert ids(history, tips) == history.ask_git_ids("rev-list", *names)
            exclude = data.draw(st.sampled_from(made))
            wanted = history.ask_git_ids("rev-list", "^" + exclude.hex(), *names)
            assert ids(history, tips, exclude=[exclude]) == wanted

    @given(plan=plans(skew=True), data=st.data())
    @differential
    def test_topological_order_is_gits(self, git: Run, plan: Plan, data: st.DataObject) -> None:
        """TOPO is ``--topo-order``, for whole histories and for ranges."""
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder), git)
            made = build(history, plan)
            tips = heads(made, plan)
            names = [tip.hex() for tip in tips]
            wanted = history.ask_git_ids("rev-list", "--topo-order", *names)
            assert ids(history, tips, order=Order.TOPO) == wanted
            exclude = data.draw(st.sampled_from(made))
            wanted = history.ask_git_ids("rev-list", "--topo-order", "^" + exclude.hex(), *names)
            assert ids(history, tips, exclude=[exclude], order=Order.TOPO) == wanted

    @given(plan=plans())
    @differential
    def test_lazy_topological_order_is_gits(self, git: Run, plan: Plan) -> None:
        """GRAPH equals TOPO when no commit is dated before its parent."""
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder), git)
            made = build(history, plan)
            tips = heads(made, plan)
            wanted = history.ask_git_ids("rev-list", "--topo-order", *(t.hex() for t in tips))
            assert ids(history, tips, order=Order.GRAPH) == wanted

    @given(plan=plans(skew=True), data=st.data())
    @differential
    def test_limits_are_gits(self, git: Run, plan: Plan, data: st.DataObject) -> None:
        """Count, skip, dates, author, message, first parents and merges select what git selects."""
        flags, limits = data.draw(
            st.sampled_from(
                [
                    (["-n", "3"], Limits(max_count=3)),
                    (["-n", "2", "--skip", "1"], Limits(max_count=2, skip=1)),
                    ([f"--max-age={START_S + 4}"], Limits(since_s=START_S + 4)),
                    ([f"--min-age={START_S + 4}"], Limits(until_s=START_S + 4)),
                    (["--author=Bob"], Limits(author="Bob")),
                    (["--grep=^body 1"], Limits(grep="^body 1")),
                    (["--grep=NUMBER 1", "-i"], Limits(grep="NUMBER 1", ignore_case=True)),
                    (["--first-parent"], Limits(first_parent=True)),
                    (["--merges"], Limits(merges=True)),
                    (["--no-merges", "-n", "4"], Limits(merges=False, max_count=4)),
                ]
            )
        )
        order, order_flags = data.draw(
            st.sampled_from([(Order.DATE, []), (Order.TOPO, ["--topo-order"])])
        )
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder), git)
            tip = build(history, plan)[-1]
            wanted = history.ask_git_ids("rev-list", *order_flags, *flags, tip.hex())
            assert ids(history, [tip], limits=limits, order=order) == wanted

    @given(plan=plans(max_commits=18), data=st.data())
    @differential
    def test_paths_are_gits(self, git: Run, plan: Plan, data: st.DataObject) -> None:
        """With paths, history is simplified as git simplifies it."""
        paths = data.draw(
            st.sampled_from(
                [("top.txt",), ("dir",), ("dir/sub/deep.txt",), ("top.txt", "dir/sub"), ("*.py",)]
            )
        )
        limits = Limits(
            paths=tuple(path.encode() for path in paths),
            first_parent=data.draw(st.booleans()),
            max_count=data.draw(st.sampled_from([None, None, 2])),
        )
        flags = ["--first-parent"] if limits.first_parent else []
        flags += [] if limits.max_count is None else ["-n", str(limits.max_count)]
        order, order_flags = data.draw(
            st.sampled_from(
                [(Order.DATE, []), (Order.TOPO, ["--topo-order"]), (Order.GRAPH, ["--topo-order"])]
            )
        )
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder), git)
            made = build(history, plan)
            exclude = data.draw(st.sampled_from([None, *made]))
            bounds = [] if exclude is None else ["^" + exclude.hex()]
            asked = ("rev-list", *order_flags, *flags, *bounds, made[-1].hex(), "--", *paths)
            found = ids(
                history,
                [made[-1]],
                exclude=[] if exclude is None else [exclude],
                limits=limits,
                order=order,
            )
            assert found == history.ask_git_ids(*asked)

    @given(plan=plans(max_commits=18), data=st.data())
    @differential
    def test_drawn_parents_are_gits(self, git: Run, plan: Plan, data: st.DataObject) -> None:
        """The parents for a graph of some paths are the ones that ``--parents`` rewrites to."""
        paths = data.draw(st.sampled_from([(), ("top.txt",), ("dir",), ("dir/other.py",)]))
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder), git)
            tip = build(history, plan)[-1]
            asked = ("rev-list", "--topo-order", "--parents", tip.hex(), "--", *paths)
            wanted = [line.split() for line in history.ask_git(*asked).splitlines()]
            found = walk(
                history.graph,
                [tip],
                limits=Limits(paths=tuple(path.encode() for path in paths)),
                order=data.draw(st.sampled_from([Order.TOPO, Order.GRAPH])),
                with_parents=True,
            )
            assert [[e.raw.hex(), *(p.hex() for p in e.parents)] for e in found] == wanted


class TestLaziness:
    @pytest.mark.parametrize("order", [Order.DATE, Order.GRAPH])
    def test_a_log_of_50_reads_about_50_commits(
        self, tmp_path: Path, git: Run, order: Order
    ) -> None:
        """What is not shown is not read."""
        history = History(tmp_path, git)
        tip = None
        for number in range(300):
            tip = history.commit([tip] if tip else [], time_s=START_S + number)
        assert tip is not None
        graph = history.graph
        found = list(
            walk(graph, [tip], limits=Limits(max_count=50), order=order, with_parents=True)
        )
        assert len(found) == 50
        assert graph.commits_read <= 55

    def test_a_missing_commit_is_an_error_when_it_is_reached(
        self, tmp_path: Path, git: Run
    ) -> None:
        """A walk yields what it can read, then names the commit that is missing."""
        history = History(tmp_path, git)
        gone = RawId(b"\x11" * 32)
        tip = history.commit([gone])
        with pytest.raises(ObjectNotFoundError, match="1111"):
            ids(history, [tip])
