"""Requests that make and change instances."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from trove.api.schemas.accounts import DatabaseIn, UserIn
from trove.api.schemas.fields import Bool, Empty, Lenient, Name, Ref, Size, Strict, Text
from trove.protocol import Account, DatabaseAccount
from trove.services.instance_order import InstanceOrder

MOST_ACCOUNTS = 100
MOST_RANGES = 64


def _range(value: str) -> str:
    network = ipaddress.ip_network(value)
    # This wire knows ranges of IPv4 alone.
    if network.version != 4:
        raise ValueError("an IPv4 range is needed")
    return str(network)


def _unique(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise ValueError("a range is there twice")
    return values


def _address(value: str) -> str:
    return str(ipaddress.ip_address(value))


Cidr = Annotated[str, Field(max_length=64), AfterValidator(_range)]
Address = Annotated[str, Field(max_length=64), AfterValidator(_address)]


class AccessIn(Strict):
    """Who may reach the instance."""

    is_public: Bool = False
    allowed_cidrs: Annotated[list[Cidr], Field(max_length=MOST_RANGES), AfterValidator(_unique)] = (
        Field(default_factory=list)
    )


class VolumeIn(Lenient):
    size: Size
    type: Text | None = None


class DatastoreIn(Lenient):
    type: Name | None = None
    version: Name | None = None
    version_number: Annotated[Name | None, BeforeValidator(lambda v: v or None)] = None


class RestorePointIn(Lenient):
    backupRef: Ref


class ModuleIn(Lenient):
    id: Name


class NicIn(Strict):
    """One network; the keys of old clients are taken too."""

    # heat, terraform and gophercloud say net-id, port-id and v4-fixed-ip; python-troveclient's
    # commands network_id.
    network_id: Text | None = Field(None, validation_alias=AliasChoices("network_id", "net-id"))
    subnet_id: Text | None = None
    ip_address: Address | None = Field(
        None, validation_alias=AliasChoices("ip_address", "v4-fixed-ip")
    )
    port_id: Text | None = Field(None, validation_alias=AliasChoices("port_id", "port-id"))
    v6_address: Address | None = Field(None, validation_alias=AliasChoices("v6-fixed-ip"))


def _flavor_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else value


class InstanceIn(Lenient):
    """An order; keys that are not known are let pass."""

    name: Name
    # openstacksdk's Instance has no flavorRef: what it can send is `flavor`.
    flavorRef: Annotated[Ref | None, BeforeValidator(_flavor_of)] = Field(
        None, validation_alias=AliasChoices("flavorRef", "flavor")
    )
    volume: VolumeIn | None = None
    datastore: DatastoreIn | None = None
    databases: list[DatabaseIn] = Field(default_factory=list, max_length=MOST_ACCOUNTS)
    users: list[UserIn] = Field(default_factory=list, max_length=MOST_ACCOUNTS)
    restorePoint: RestorePointIn | None = None
    # `slave_of` is the name that older clients send.
    replica_of: Ref | None = Field(None, validation_alias=AliasChoices("replica_of", "slave_of"))
    # strict, for pydantic would take true for 1.
    replica_count: Annotated[int, Field(ge=1, le=3, strict=True)] | None = None
    availability_zone: Text | None = None
    nics: list[NicIn] = Field(default_factory=list, max_length=1)
    configuration: Ref | None = None
    configuration_id: Ref | None = None
    modules: list[ModuleIn] = Field(default_factory=list)
    locality: Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"] | None = (
        None
    )
    region_name: Text | None = None
    access: AccessIn | None = None

    def order(self) -> InstanceOrder:
        """The order as the services take it."""
        volume, datastore = self.volume, self.datastore or DatastoreIn()
        return InstanceOrder(
            name=self.name,
            flavor_id=self.flavorRef or "",
            volume_size=volume.size if volume else None,
            volume_type=(volume.type or None) if volume else None,
            datastore=datastore.type,
            datastore_version=datastore.version_number or datastore.version,
            databases=databases_of(self.databases),
            users=users_of(self.users),
            availability_zone=self.availability_zone or None,
            nics=[nic.model_dump(exclude_none=True) for nic in self.nics],
            region=self.region_name or None,
            locality=self.locality,
            access=self.access.model_dump() if self.access else {},
        )


class InstanceCreate(Lenient):
    instance: InstanceIn


# gophercloud detaches a configuration group by sending `{}`; so nothing at all is no error.
class InstanceChange(Strict):
    """A name, and at most one of the others."""

    name: Name | None = None
    configuration: Ref | None = None
    # Its being there says it: clients send null to detach a replica.
    replica_of: Any = None
    slave_of: Any = None
    datastore_version: Name | None = None
    access: AccessIn | None = None

    @model_validator(mode="after")
    def _one_at_a_time(self) -> InstanceChange:
        if len(self.model_fields_set - {"name"}) > 1:
            told = ", ".join(sorted(self.model_fields_set - {"name"}))
            raise ValueError(f"only one of {told} can be changed at a time")
        return self


class InstanceUpdate(Lenient):
    instance: InstanceChange


class ResizeVolume(Lenient):
    size: Size


class Resize(Lenient):
    """A flavor, or a volume; `{"volume": 4}` is what one client sends."""

    flavorRef: Ref | None = None
    volume: Annotated[
        ResizeVolume | None,
        # openstacksdk's resize_volume.
        BeforeValidator(lambda v: {"size": v} if isinstance(v, (int, str)) else v),
    ] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Resize:
        if (self.flavorRef is None) == (self.volume is None):
            raise ValueError("either flavorRef or volume is needed")
        return self


def _one_action(value: Any) -> Any:
    # force_delete stands beside reset_status where a client means "delete it, whatever it does".
    is_one = isinstance(value, dict) and (
        len(value) == 1 or set(value) == {"reset_status", "force_delete"}
    )
    if not is_one:
        raise ValueError("exactly one action is needed")
    return value


def _none_is_empty(value: Any) -> Any:
    return {} if value is None else value


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("an object is needed")
    return value


# openstacksdk sends `{"restart": null}`.
Nothing = Annotated[Empty | None, BeforeValidator(_none_is_empty)]


class InstanceAction(Strict):
    """Exactly one of them."""

    restart: Nothing = None
    # Unlike the others, it says nothing without its object.
    resize: Annotated[Resize | None, BeforeValidator(_not_null)] = None
    reset_status: Nothing = None
    force_delete: Nothing = None
    promote_to_replica_source: Nothing = None
    eject_replica_source: Nothing = None

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: Any) -> Any:
        return _one_action(value)


class Migrate(Lenient):
    host: Text | None = None


class Rebuild(Lenient):
    image_id: Name


class MgmtAction(Strict):
    """Exactly one of them."""

    stop: Nothing = None
    reboot: Nothing = None
    migrate: Migrate | None = None
    rebuild: Rebuild | None = None
    reset_task_status: Nothing = Field(None, alias="reset-task-status")

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: Any) -> Any:
        return _one_action(value)


def databases_of(given: list[DatabaseIn]) -> list[DatabaseAccount]:
    return [DatabaseAccount(d.name, d.character_set, d.collate) for d in given]


def users_of(given: list[UserIn]) -> list[Account]:
    return [
        Account(
            name=u.name,
            host=u.host,
            databases=[database.name for database in u.databases],
            password=u.password,
        )
        for u in given
    ]
