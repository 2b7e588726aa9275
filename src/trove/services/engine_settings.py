"""What an engine is set to, as far as it follows from what was ordered."""

from __future__ import annotations

from trove.datastores import packages, part_of
from trove.datastores.configuration import usable_memory
from trove.services.instance_view import InstanceView


def settings_of(view: InstanceView) -> dict[str, str]:
    """The settings that the agent computes from memory, processors and volume, by name.

    A volume's file system takes a little of it, so that what depends on its size may be smaller on
    the server. Empty for datastore packages that compute nothing.
    """
    own = packages()[view.manager].__name__
    try:
        configuration = part_of(view.manager, "configuration")
    except ModuleNotFoundError as error:
        if error.name != f"{own}.configuration":
            raise
        return {}
    volume = view.volume_size * 1024
    computed: dict[str, str] = configuration.sizes_of(
        usable_memory(view.memory), view.vcpus, volume
    )
    return dict(sorted(computed.items()))
