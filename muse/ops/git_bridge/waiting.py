"""Objects that cannot be converted yet, since something that they name is still to come."""

from __future__ import annotations

from collections.abc import Collection, Iterator


class Waiting:
    """Payloads that wait, and what each of them waits for."""

    def __init__(self) -> None:
        self._payloads: dict[bytes, bytes] = {}
        self._missing: dict[bytes, int] = {}
        self._waiters: dict[bytes, list[bytes]] = {}

    def add(self, raw: bytes, payload: bytes, *, missing: Collection[bytes]) -> None:
        """Keep a payload until each of ``missing``, which holds no id twice, has arrived."""
        self._payloads[raw] = payload
        self._missing[raw] = len(missing)
        for child in missing:
            self._waiters.setdefault(child, []).append(raw)

    def arrive(self, raw: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (id, payload) of what waited for nothing else than ``raw``.

        Whoever takes one converts it before asking for the next one; what waited for that one
        then follows.
        """
        ready = self._waiters.pop(raw, [])
        while ready:
            waiter = ready.pop()
            self._missing[waiter] -= 1
            if not self._missing[waiter]:
                del self._missing[waiter]
                yield waiter, self._payloads.pop(waiter)
                ready += self._waiters.pop(waiter, [])

    @property
    def first_missing(self) -> bytes | None:
        """Something that is waited for and never came; None when nothing waits."""
        return next(iter(self._waiters), None)
