"""What an engine is set to, as far as it follows from the size that was requested."""

from __future__ import annotations

from trove.datastores import datastore_of
from trove.datastores.configuration import usable_memory
from trove.services.instance_view import InstanceView


def settings_of(view: InstanceView) -> dict[str, str]:
    """The settings that the agent computes from memory, processors and volume, by name.

    A volume's file system takes a little of it, so that what depends on its size may be smaller on
    the server. Empty for datastores that compute nothing.
    """
    sizes_of = datastore_of(view.manager).sizes
    if sizes_of is None:
        return {}
    computed = sizes_of(usable_memory(view.row.memory), view.row.vcpus, view.row.volume_size * 1024)
    return dict(sorted(computed.items()))
