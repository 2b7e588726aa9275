"""An order of an instance, and the rules that it must fulfil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from trove.datastores import datastore_of
from trove.datastores.base import Manifest
from trove.datastores.parts import Datastore, Part
from trove.db import JsonObject
from trove.errors import Invalid, OverQuota
from trove.models.datastore import DatastoreVersion
from trove.protocol import Account, DatabaseAccount
from trove.providers.base import Flavor
from trove.services.account_rules import check_databases, check_users, rules_of
from trove.settings import Settings

LONGEST_NAME = 255


@dataclass(frozen=True)
class InstanceOrder:
    """An order, parsed but not checked yet."""

    name: str
    flavor_id: str
    volume_size: int | None = None
    """GiB."""
    volume_type: str | None = None
    datastore: str | None = None
    """Name or id; the default one otherwise."""
    datastore_version: str | None = None
    """Name, number or id; the datastore's default otherwise."""
    databases: Sequence[DatabaseAccount] = ()
    users: Sequence[Account] = ()
    availability_zone: str | None = None
    nics: Sequence[dict[str, str]] = ()
    region: str | None = None
    access: JsonObject = field(default_factory=dict)
    plain: JsonObject = field(default_factory=dict)
    """Columns that are stored as they come."""
    id: str = ""
    """The id of the instance to create; a second order with it returns the first instance."""

    def secrets(self) -> JsonObject:
        """What the engine is to be prepared with; it holds passwords."""
        found: JsonObject = msgspec.to_builtins(
            {"databases": list(self.databases), "users": list(self.users)}
        )
        return found


def check_order(
    settings: Settings, order: InstanceOrder, version: DatastoreVersion, flavor: Flavor
) -> None:
    """Raises Invalid (or OverQuota for too large a volume), naming the field."""
    check_instance_name(order.name)
    if order.volume_size is None:
        raise Invalid("a volume is needed: give its size in GB", field="volume.size")
    check_volume_size(settings, order.volume_size)
    manifest = rules_of(settings, version.manager)
    check_flavor(manifest, flavor)
    _check_parts(datastore_of(version.manager), order)
    check_databases(manifest, order.databases, version.number)
    _check_accounts(manifest, order, settings.api.hostname_require_valid_ip)


def check_instance_name(name: str) -> None:
    """Raises Invalid naming `name`."""
    if not any(c.isalnum() for c in name) or len(name) > LONGEST_NAME:
        raise Invalid(
            f"1 to {LONGEST_NAME} characters, one of them a letter or digit", field="name"
        )


def check_flavor(manifest: Manifest, flavor: Flavor) -> None:
    """Whether the engine fits into it; raises Invalid naming `flavorRef`."""
    if flavor.memory < manifest.smallest_memory:
        raise Invalid(
            f"{manifest.title} needs {manifest.smallest_memory} MB of memory at least; "
            f"flavor {flavor.id} has {flavor.memory}",
            field="flavorRef",
        )


def check_volume_size(settings: Settings, size: int) -> None:
    """Raises Invalid naming `volume.size`."""
    largest = settings.limits.max_accepted_volume_size
    if size < 1:
        raise Invalid(f"at least 1 GB, not {size}", field="volume.size")
    if 0 <= largest < size:
        raise OverQuota(f"volume.size: at most {largest} GB here, not {size}")


def _check_parts(datastore: Datastore, order: InstanceOrder) -> None:
    title = datastore.manifest.title
    if order.databases and not datastore.has(Part.DATABASES):
        raise Invalid(f"{title} has no databases to create", field="databases")
    if order.users and not datastore.has(Part.USERS):
        raise Invalid(f"{title} has no users to create", field="users")


def _check_accounts(manifest: Manifest, order: InstanceOrder, valid_ip: bool) -> None:
    check_users(manifest, order.users, valid_ip=valid_ip)
    known = {database.name for database in order.databases}
    for user in order.users:
        missing = sorted(set(user.databases) - known)
        if missing:
            raise Invalid(
                f"user {user.name} is to have {missing[0]!r}, which is not among the databases",
                field="users.databases",
            )
