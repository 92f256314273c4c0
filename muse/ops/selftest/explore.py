"""Write out the states of a recording, and judge each distinct one once."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from muse.ops.selftest.judge import Judge, Violation
from muse.ops.selftest.models import KILL, MODELS, Explorer, State
from muse.ops.selftest.recording import Recording, memory_folder
from muse.ops.selftest.tree import Listing, write_listing


@dataclass(slots=True)
class Outcome:
    """What was found.

    Attributes:
        states: How many distinct states each model gave.
        judged: How many distinct states there were in all.
        left_out: How many states of models there was no time for.
        violations: Each with the model and the point (operations done) where it was met first.
    """

    states: dict[str, int] = field(default_factory=dict)
    judged: int = 0
    left_out: int = 0
    violations: list[tuple[str, int, Violation]] = field(default_factory=list)

    def violated(self, model: str) -> int:
        """Return how many violations a model showed."""
        return sum(found == model for found, _, _ in self.violations)


class Bench:
    """Judges states in a scratch folder, in memory where there is any; a context manager.

    Args:
        folder: Where to work if there is no folder in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="muse-selftest-", dir=memory_folder() or folder))
        self._count = 0
        self._recording: Recording | None = None
        self._known: dict[str, set[tuple[Listing, int]]] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._base, ignore_errors=True)

    def judge(self, judge: Judge, state: State, *, killed: bool) -> list[Violation]:
        """Write one state out and look at it."""
        self._count += 1
        folder = self._base / str(self._count)
        write_listing(state.listing, folder)
        try:
            return judge.look(folder, reported=state.reported, killed=killed)
        except Exception as error:  # noqa: BLE001  # whatever it is, the state was not handled
            return [Violation("G5", f"{type(error).__name__}: {error}")]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def explore(
        self,
        recording: Recording,
        judge: Judge,
        *,
        limit: int,
        models: tuple[str, ...] = MODELS,
        tell: Callable[[int], None] | None = None,
        until_s: float = math.inf,
    ) -> Outcome:
        """Judge the states of a recording under some models.

        Args:
            recording: What was done.
            judge: Who looks.
            limit: At most so many states for each model.
            models: Which.
            tell: Called after each state with their number so far.
            until_s: When to stop, on the monotonic clock; what was not judged is not counted.
        """
        outcome = Outcome()
        verdicts: dict[State, list[Violation]] = {}
        for model in models:
            states = Explorer(recording, model).states(limit)
            outcome.states[model] = 0
            for state in states:
                key = state._replace(point=0)
                if key not in verdicts:
                    if time.monotonic() > until_s:
                        outcome.left_out += 1
                        continue
                    verdicts[key] = self.judge(judge, state, killed=model == KILL)
                    if tell is not None:
                        tell(len(verdicts))
                outcome.states[model] += 1
                outcome.violations += [(model, state.point, found) for found in verdicts[key]]
        outcome.judged = len({state.listing for state in verdicts})
        return outcome

    def notices(
        self, recording: Recording, judge: Judge, sync: int, *, limit: int, models: tuple[str, ...]
    ) -> tuple[str, Violation] | None:
        """Take one sync out of a recording, and return the first violation that this allows."""
        for model in models:
            known = self._known_of(recording, model, limit * 99)
            states = Explorer(recording, model, without=sync).states(limit * 99)
            fresh = [s for s in states if (s.listing, s.reported) not in known]
            # Losses after the report show most, so they come first.
            fresh.sort(key=lambda state: (-state.reported, len(state.listing)))
            for state in fresh[:: max(1, len(fresh) // limit)]:
                found = self.judge(judge, state, killed=False)
                if found:
                    return model, found[0]
        return None

    def _known_of(self, recording: Recording, model: str, limit: int) -> set[tuple[Listing, int]]:
        # To enumerate them takes as long as to judge a few dozen, and each sync asks.
        if self._recording is not recording:
            self._recording, self._known = recording, {}
        if model not in self._known:
            states = Explorer(recording, model).states(limit)
            self._known[model] = {(state.listing, state.reported) for state in states}
        return self._known[model]
