"""This machine: every instance is an agent and an engine of its own, with its own address.

Law: all state is in files and in the kernel, found by derived name; any process may make any call
at any moment, and may be killed in the middle of it.
"""

from __future__ import annotations

from trove.providers.base import Capability, Plugin, Provider
from trove.providers.local.catalog import LocalCatalog
from trove.providers.local.compute import LocalCompute
from trove.providers.local.identities import Identities
from trove.providers.local.launch import AgentCommand, agent_command
from trove.providers.local.layout import Layout
from trove.providers.local.machine import Machine
from trove.providers.local.network import LocalNetwork
from trove.providers.local.seeds import SeedCommand, Seeds, seed_command
from trove.providers.local.settings import NAME, LocalSettings, directory_of, local_settings
from trove.providers.local.volumes import LocalVolumes
from trove.settings import Settings


def create_provider(
    settings: Settings, agent: AgentCommand = agent_command, seed: SeedCommand = seed_command
) -> Provider:
    """The provider of this machine; it touches nothing before its first call."""
    local = local_settings(settings)
    layout, machine = Layout(directory_of(settings)), Machine(local.isolation)
    volumes = LocalVolumes(layout, machine)
    seeds = Seeds(layout, machine, Identities(layout, local.first_uid), seed)
    return Provider(
        name=NAME,
        compute=LocalCompute(layout, machine, volumes, seeds, agent),
        volumes=volumes,
        network=LocalNetwork(layout, local.address_pool),
        catalog=LocalCatalog(local.flavors, local.address_pool),
        capabilities=frozenset({Capability.ONLINE_VOLUME_GROW}),
        memory_limit=lambda: int(machine.memory * local.memory_overcommit),
        locales=lambda: machine.locales,
    )


PROVIDER = Plugin(create_provider, LocalSettings)
