"""The one clock of tests: it stands still until it is moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass
class ManualClock:
    """A `trove.db.Clock`, moved with `advance`.

    `tick` passes at each reading, so that what is written in turn is ordered by its time.
    """

    time: datetime = field(default_factory=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    tick: timedelta = timedelta()

    def now(self, reader: Any = None) -> datetime:
        self.time += self.tick
        return self.time

    def given(self, database_time: datetime) -> datetime:
        return self.time

    def stamp(self) -> datetime:
        return self.now()

    def advance(self, seconds: float = 0, **span: float) -> None:
        """By seconds, or by a span as `timedelta` takes it."""
        self.time += timedelta(seconds=seconds, **span)
