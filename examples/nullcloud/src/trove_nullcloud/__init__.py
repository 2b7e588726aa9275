"""An infrastructure without machines: an example of a provider in a package of its own."""

from __future__ import annotations

from dataclasses import dataclass

from trove.providers.base import Plugin, Provider
from trove.settings import Settings
from trove.settings.plugins import limited
from trove_nullcloud.catalog import NullCatalog
from trove_nullcloud.compute import NullCompute
from trove_nullcloud.network import NullNetwork
from trove_nullcloud.volumes import NullVolumes


@dataclass(frozen=True)
class NullSettings:
    """A cloud without machines."""

    zones: tuple[str, ...] = ("north",)
    """Where servers can be, separated by commas."""
    most_servers: int = limited(100, limits=(1, 10_000))
    """Servers that there may be at the same time."""


def create_provider(settings: Settings) -> Provider:
    own = settings.provider_group("nullcloud", NullSettings)
    return Provider(
        name="nullcloud",
        compute=NullCompute(own.most_servers),
        volumes=NullVolumes(),
        network=NullNetwork(),
        catalog=NullCatalog(own.zones),
    )


PROVIDER = Plugin(create_provider, NullSettings)
