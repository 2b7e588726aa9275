"""A fresh control plane for each run of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from trove.providers.base import Capability
from trove.providers.fake import Switches
from trove.testing.world import LEASE, Cloud


@dataclass(frozen=True)
class Infrastructure:
    """How the fake infrastructure behaves."""

    switches: Switches = Switches()
    seconds: float = 0
    """How long each change takes."""
    capabilities: frozenset[Capability] = frozenset({Capability.ONLINE_VOLUME_GROW})
    every: int = 7
    """Tests that interfere at each point do so at every so manieth only."""

    @property
    def points(self) -> range:
        return range(self.every // 2, 200, self.every)


INFRASTRUCTURES = {
    "prompt": Infrastructure(every=1),
    "asynchronous": Infrastructure(Switches(pending=2)),
    "slow": Infrastructure(seconds=LEASE.total_seconds() / 2),
    "failing": Infrastructure(Switches(failures=1)),
    "losing_answers": Infrastructure(Switches(loses_answers=True)),
    "bare": Infrastructure(Switches(pending=1), capabilities=frozenset()),
}


@pytest.fixture
def infrastructure(request: pytest.FixtureRequest) -> Infrastructure:
    """The prompt one, unless a test is parametrised with names of `INFRASTRUCTURES`."""
    return INFRASTRUCTURES[getattr(request, "param", "prompt")]


@pytest.fixture
def clouds(tmp_path: Path, infrastructure: Infrastructure) -> Iterator[Callable[[], Cloud]]:
    """Makes clouds that know nothing of each other."""
    made: list[Cloud] = []

    def make() -> Cloud:
        for cloud in made:
            cloud.database.dispose()
        cloud = Cloud(
            tmp_path / f"cloud-{len(made)}",
            switches=replace(infrastructure.switches, delay=lambda: pass_time(cloud)),
            capabilities=infrastructure.capabilities,
        )
        made.append(cloud)
        return cloud

    def pass_time(cloud: Cloud) -> None:
        cloud.clock.advance(infrastructure.seconds)

    yield make
    for cloud in made:
        cloud.database.dispose()


@pytest.fixture
def cloud(clouds: Callable[[], Cloud]) -> Cloud:
    return clouds()
