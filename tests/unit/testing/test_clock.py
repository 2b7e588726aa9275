"""The clock of tests is moved by tests alone."""

from datetime import UTC, datetime, timedelta

from trove.db import Clock
from trove.testing import ManualClock

START = datetime(2031, 5, 6, tzinfo=UTC)


def test_it_stands_still() -> None:
    clock: Clock = ManualClock(START)
    assert clock.stamp() == START
    assert clock.stamp() == START


def test_it_is_moved_by_seconds_and_by_spans() -> None:
    clock = ManualClock(START)
    clock.advance(90)
    clock.advance(hours=1, microseconds=2)
    assert clock.now() == START + timedelta(hours=1, seconds=90, microseconds=2)


def test_each_reading_may_take_a_tick() -> None:
    clock = ManualClock(START, tick=timedelta(seconds=1))
    first, second = clock.now(), clock.now()
    assert second - first == timedelta(seconds=1)
