"""Accounts are looked at as often as they may have changed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.guestagent.schedule import LOOK_ANYWAY, LOOK_EVERY, SETTLED, AccountSchedule

EPOCH = 1_900_000_000.0


@dataclass
class Scene:
    """An engine whose one account changes, and an agent that looks at it."""

    now: float = 0.0
    written: float | None = EPOCH - 60
    looks: list[float] = field(default_factory=list)
    account: int = 0
    seen: int = -1

    def __post_init__(self) -> None:
        self.schedule = AccountSchedule(lambda: self.now, lambda: EPOCH + self.now)

    def write(self, *, grain: float = 0.004) -> None:
        """Files' times are multiples of some grain."""
        self.account += 1
        self.written = (EPOCH + self.now) // grain * grain

    def look(self) -> None:
        self.looks.append(self.now)
        self.seen = self.account

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.schedule.run(self.look, lambda: self.written)


def test_the_first_look_is_at_once() -> None:
    scene = Scene()
    scene.schedule.run(scene.look, lambda: None)
    assert scene.looks == [0]


@pytest.mark.parametrize(
    ("written", "count"),
    [(None, int(300 // LOOK_EVERY)), (EPOCH - 60, 1 + int(300 // LOOK_ANYWAY))],
    ids=["unknown", "nothing"],
)
def test_it_looks_seldom_where_nothing_is_written(written: float | None, count: int) -> None:
    scene = Scene(written=written)
    scene.pass_seconds(300)
    assert abs(len(scene.looks) - count) <= 1


def test_an_engine_that_always_writes_is_looked_at_as_ever() -> None:
    scene = Scene()
    for _ in range(300):
        scene.write()
        scene.pass_seconds(1)
    assert len(scene.looks) >= 300 // LOOK_EVERY - 1


def test_what_is_written_is_seen_by_the_next_look() -> None:
    scene = Scene()
    scene.pass_seconds(60)
    scene.write()
    scene.pass_seconds(int(LOOK_EVERY))
    assert scene.seen == scene.account


def test_a_write_at_the_time_of_the_look_is_not_missed() -> None:
    """The files bear the same time as before it."""
    scene = Scene()
    scene.write()
    scene.pass_seconds(1)
    assert scene.looks
    scene.account += 1
    scene.pass_seconds(int(LOOK_EVERY))
    assert scene.seen == scene.account


def test_a_look_that_fails_is_repeated() -> None:
    scene = Scene()

    def fail() -> None:
        raise OSError

    with pytest.raises(OSError):
        scene.schedule.run(fail, lambda: scene.written)
    scene.schedule.run(scene.look, lambda: scene.written)
    assert not scene.looks  # not at once
    scene.pass_seconds(int(LOOK_EVERY))
    assert scene.seen == scene.account


def test_what_the_files_do_not_show_is_seen_later() -> None:
    scene = Scene()
    scene.pass_seconds(60)
    scene.account += 1
    scene.pass_seconds(int(LOOK_ANYWAY))
    assert scene.seen == scene.account


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.sampled_from([0.001, 0.01, 1.0]))
def test_no_account_is_missed_for_longer_than_one_interval(gaps: list[int], grain: float) -> None:
    scene = Scene()
    for gap in gaps:
        scene.write(grain=min(grain, SETTLED))
        scene.pass_seconds(gap)
        if gap > LOOK_EVERY:
            assert scene.seen == scene.account
