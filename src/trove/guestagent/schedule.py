"""When the agent looks at the accounts in the engine, which costs a connection.

An engine that has not written since the last look has no other accounts than it had then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY = 15.0
LOOK_ANYWAY = 120.0
"""Seconds until a look where nothing was written: whatever is there is reported by then."""
SETTLED = 2.0
"""Seconds for which what was written must be past: files' times are only so exact, and another
write may follow at the same time."""


class AccountSchedule:
    """Times are those of a clock that only goes on, except those of files."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._considered_at = self._looked_at = -LOOK_ANYWAY
        self._seen: float | None = None
        """What was written last before the last look, if another write would differ from it."""

    def run(self, look: Callable[[], object], last_write: Callable[[], float | None]) -> None:
        """Look if it is time to; `last_write` is when the engine wrote last, if that is known.

        A look that raises counts for nothing, but the next one waits as long as any.
        """
        now = self._clock()
        if now - self._considered_at < LOOK_EVERY:
            return
        self._considered_at = now
        # Before the look: what is written during it leads to another.
        written, read_at = last_write(), self._wall_clock()
        if written is not None and written == self._seen and now - self._looked_at < LOOK_ANYWAY:
            return
        self._seen = None
        look()
        self._looked_at = now
        if written is not None and read_at - written > SETTLED:
            self._seen = written
