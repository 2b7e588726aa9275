"""What a process that serves sets for itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from trove.cli.services import serving


@pytest.fixture
def own_collector() -> Iterator[None]:
    """What the test changes is as before afterwards."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("own_collector")
def test_all_objects_are_looked_at_rarely_and_young_ones_as_often_as_before() -> None:
    gc.set_threshold(700, 10, 10)
    frozen = gc.get_freeze_count()
    serving._collect_rarely()
    assert gc.isenabled()
    assert gc.get_threshold() == (700, 10, 1000)
    # What was there before is not looked at again at all.
    assert gc.get_freeze_count() > frozen + 1000


@pytest.mark.usefixtures("own_collector")
def test_garbage_of_requests_is_collected_all_the_same() -> None:
    serving._collect_rarely()
    before = gc.get_stats()[0]["collected"]
    for _ in range(2000):
        ring: list[object] = []
        ring.append(ring)
    assert gc.get_stats()[0]["collected"] - before > 500
