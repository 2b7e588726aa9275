"""No infrastructure at all: it keeps books, in memory or in a directory. For tests.

Its hook is called before and after every change, so that a test may crash or fail there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trove.providers.base import Provider
from trove.providers.fake.catalog import FakeCatalog
from trove.providers.fake.compute import FakeCompute
from trove.providers.fake.network import FakeNetwork
from trove.providers.fake.volumes import FakeVolumes
from trove.providers.fake.world import FakeWorld
from trove.settings import Settings

__all__ = ["FakeProvider", "FakeWorld", "create_provider", "provider_of"]


@dataclass(frozen=True)
class FakeProvider(Provider):
    """A provider whose books are open."""

    world: FakeWorld

    def everything(self) -> list[str]:
        """What exists: "server/trove-1", "volume/trove-1", "address/10.1.2.3"."""
        return self.world.everything()


def create_provider(
    settings: Settings, hook: Callable[[str], None] = lambda point: None
) -> FakeProvider:
    """A provider that keeps its books below the state directory, for several processes."""
    return provider_of(FakeWorld(settings.state_directory / "fake", hook))


def provider_of(world: FakeWorld) -> FakeProvider:
    return FakeProvider(
        name="fake",
        compute=FakeCompute(world),
        volumes=FakeVolumes(world),
        network=FakeNetwork(world),
        catalog=FakeCatalog(),
        world=world,
    )
