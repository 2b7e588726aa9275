"""Datastores and their versions, flavors and volume types."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from trove.api.answers import ALWAYS, Link
from trove.api.call import Call
from trove.models.datastore import DatastoreVersion
from trove.providers.base import Flavor, VolumeType
from trove.services.datastores import DatastoreView

LONGEST_NUMBER = 15
"""Digits that a double has exactly, as JavaScript reads numbers."""


class VersionShown(Struct, kw_only=True):
    id: str
    name: str
    version: str
    links: list[Link]
    datastore: str
    active: bool | UnsetType = UNSET
    """This and what follows is for administrators."""
    packages: list[str] | UnsetType = UNSET
    image: str | None | UnsetType = UNSET
    image_tags: list[str] | UnsetType = UNSET
    registry_ext: str | None | UnsetType = UNSET
    repl_strategy: str | None | UnsetType = UNSET


class ManagedVersion(Struct, kw_only=True):
    id: str
    name: str
    version: str
    datastore_id: str
    datastore_name: str
    datastore_manager: str
    default: bool
    active: bool = ALWAYS
    packages: list[str] = ALWAYS
    image: str | None = ALWAYS
    image_tags: list[str] = ALWAYS
    registry_ext: str | None = ALWAYS
    repl_strategy: str | None = ALWAYS


class VersionAnswer(Struct):
    version: VersionShown


class VersionsAnswer(Struct):
    versions: list[VersionShown]


class ManagedVersionAnswer(Struct):
    version: ManagedVersion


class ManagedVersionsAnswer(Struct):
    versions: list[ManagedVersion]


class DatastoreShown(Struct, kw_only=True):
    id: str
    name: str
    links: list[Link]
    versions: list[VersionShown]
    # `openstack datastore show` looks this id up among `versions` and breaks if it is not there:
    # without a default it must be missing, not null.
    default_version: str | UnsetType = UNSET
    default: bool
    """Whether it is created when an order names no datastore."""


class DatastoreAnswer(Struct):
    datastore: DatastoreShown


class DatastoresAnswer(Struct):
    datastores: list[DatastoreShown]


class FlavorShown(Struct, kw_only=True):
    # gophercloud takes a number or null and then reads str_id; so does python-troveclient.
    id: int | None
    str_id: str
    name: str
    ram: int
    vcpus: int
    disk: int
    ephemeral: int
    links: list[Link]


class FlavorAnswer(Struct):
    flavor: FlavorShown


class FlavorsAnswer(Struct):
    flavors: list[FlavorShown]


class VolumeTypeShown(Struct):
    id: str
    name: str
    is_public: bool
    description: str


class VolumeTypeAnswer(Struct):
    volume_type: VolumeTypeShown


class VolumeTypesAnswer(Struct):
    volume_types: list[VolumeTypeShown]


def datastore(call: Call, view: DatastoreView) -> DatastoreShown:
    return DatastoreShown(
        id=view.row.id,
        name=view.row.name,
        links=call.links("datastores", view.row.id),
        versions=[version(call, each) for each in view.versions],
        default_version=view.default_version or UNSET,
        default=view.is_default,
    )


def version(call: Call, row: DatastoreVersion) -> VersionShown:
    shown = VersionShown(
        id=row.id,
        name=row.name,
        version=row.number,
        links=call.links(f"datastores/{row.datastore_id}/versions", row.id),
        datastore=row.datastore_id,
    )
    if call.caller.is_admin:
        _add_operators_part(shown, row)
    return shown


def managed_version(row: DatastoreVersion) -> ManagedVersion:
    shown = ManagedVersion(
        id=row.id,
        name=row.name,
        version=row.number,
        datastore_id=row.datastore_id,
        datastore_name=row.datastore.name,
        datastore_manager=row.manager,
        default=row.datastore.default_version_id == row.id,
    )
    _add_operators_part(shown, row)
    return shown


def flavor(call: Call, each: Flavor) -> FlavorShown:
    return FlavorShown(
        id=_number_of(each.id),
        str_id=each.id,
        name=each.name,
        ram=each.memory,
        vcpus=each.vcpus,
        disk=each.disk,
        ephemeral=each.ephemeral,
        links=call.links("flavors", each.id),
    )


def _number_of(identity: str) -> int | None:
    """The id as a number, where it is written the same way: `1` is one, `01` is not."""
    # No longer than a number of JSON that every client can read.
    is_number = identity.isascii() and identity.isdecimal() and len(identity) <= LONGEST_NUMBER
    return int(identity) if is_number and str(int(identity)) == identity else None


def volume_type(each: VolumeType) -> VolumeTypeShown:
    return VolumeTypeShown(each.id, each.name, each.is_public, each.description)


def _add_operators_part(shown: VersionShown | ManagedVersion, row: DatastoreVersion) -> None:
    shown.active = row.active
    shown.packages = row.packages
    shown.image = row.image
    shown.image_tags = row.image_tags
    shown.registry_ext = row.registry_ext
    shown.repl_strategy = row.repl_strategy
