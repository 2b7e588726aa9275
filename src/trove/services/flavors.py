"""The sizes of servers and kinds of volumes that the infrastructure offers."""

from __future__ import annotations

from collections.abc import Sequence

from trove.datastores import manifest_of
from trove.errors import NotFound
from trove.models.datastore import DatastoreVersion
from trove.providers.base import Flavor, VolumeType, flavor_of
from trove.services.installation import Caller, Installation


def flavors(inst: Installation, caller: Caller) -> Sequence[Flavor]:
    """Every flavor."""
    return inst.catalog_for(caller).flavors()


def flavor(inst: Installation, caller: Caller, flavor_id: str) -> Flavor:
    """One flavor; raises NotFound."""
    found = flavor_of(inst.catalog_for(caller), flavor_id)
    if found is None:
        raise NotFound(f"Flavor {flavor_id!r} could not be found.")
    return found


def flavors_for(inst: Installation, caller: Caller, version: DatastoreVersion) -> Sequence[Flavor]:
    """The flavors that are large enough for this engine."""
    smallest = manifest_of(version.manager).smallest_memory
    return [each for each in inst.catalog_for(caller).flavors() if each.memory >= smallest]


def volume_types(inst: Installation, caller: Caller) -> Sequence[VolumeType]:
    """Every kind of volume."""
    return inst.catalog_for(caller).volume_types()


def volume_type(inst: Installation, caller: Caller, name: str) -> VolumeType:
    """One kind of volume, by id or name; raises NotFound."""
    for each in inst.catalog_for(caller).volume_types():
        if name in {each.id, each.name}:
            return each
    raise NotFound(f"Volume type {name!r} could not be found.")
