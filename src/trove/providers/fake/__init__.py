"""No infrastructure at all: it keeps records, in memory or in a directory. For tests.

Its hook is called before and after every change, so that a test may crash or fail there; its
switches make it answer later, slowly, with errors, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from trove.providers.base import Capability, Plugin, Provider, Scope
from trove.providers.fake.catalog import FakeCatalog
from trove.providers.fake.compute import FakeCompute
from trove.providers.fake.network import FakeNetwork
from trove.providers.fake.volumes import FakeVolumes
from trove.providers.fake.world import FakeWorld, Switches
from trove.settings import Settings

__all__ = ["FakeProvider", "FakeWorld", "Switches", "create_provider", "provider_of"]


@dataclass(frozen=True)
class FakeProvider(Provider):
    """A provider whose records anyone may read and change."""

    world: FakeWorld = field(kw_only=True)

    def everything(self) -> list[str]:
        """What exists: "server/trove-1", "volume/trove-1", "address/10.1.2.3"."""
        return self.world.everything()

    def within(self, scope: Scope) -> FakeProvider:
        return replace(
            self,
            compute=FakeCompute(self.world, scope),
            volumes=FakeVolumes(self.world, scope),
            network=FakeNetwork(self.world, scope),
            catalog=self.catalog.within(scope),
        )


def create_provider(
    settings: Settings, hook: Callable[[str], None] = lambda point: None
) -> FakeProvider:
    """A provider that keeps its records below the state directory, for several processes."""
    return provider_of(FakeWorld(settings.state_directory / "fake", hook))


def provider_of(
    world: FakeWorld,
    capabilities: frozenset[Capability] = frozenset({Capability.ONLINE_VOLUME_GROW}),
) -> FakeProvider:
    scope = Scope()
    return FakeProvider(
        name="fake",
        compute=FakeCompute(world, scope),
        volumes=FakeVolumes(world, scope),
        network=FakeNetwork(world, scope),
        catalog=FakeCatalog(),
        capabilities=capabilities,
        world=world,
    )


PROVIDER = Plugin(create_provider)
