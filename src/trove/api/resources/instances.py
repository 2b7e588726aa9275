"""Instances: what tenants order and change, and what they see.

A plain field is stored as it comes and shown as it is: a column of `models/instance.py`, a field of
`PlainFields` and one of `InstanceDetail`, and no other file.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from trove.api.answers import ALWAYS, Link, Links, Ref
from trove.api.call import Call
from trove.api.resources.accounts import DatabaseIn, UserIn, databases_of, users_of
from trove.api.resources.fields import (
    Bool,
    IdOrUrl,
    Lenient,
    Name,
    Size,
    Strict,
    Text,
    Whole,
)
from trove.api.resources.moments import maybe, moment
from trove.datastores import manifest_of
from trove.errors import NotFound
from trove.models.instance import resource_name_of
from trove.services.instance_order import InstanceOrder
from trove.services.instance_view import Fault, InstanceView, unenforced_of

MOST_ACCOUNTS = 100
MOST_RANGES = 64
MOST_NICS = 16
CHANGEABLE = ("name", "configuration", "configuration_id", "access")
"""What a whole document may change; its other keys say what is."""


def _range(value: str) -> str:
    network = ipaddress.ip_network(value)
    # The wire has ranges of IPv4 only.
    if network.version != 4:
        raise ValueError("must be an IPv4 range")
    return str(network)


def _unique(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise ValueError("must not contain a range twice")
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
    backupRef: IdOrUrl


class ModuleIn(Lenient):
    id: Name


class NicIn(Strict):
    """One network; the keys of older clients are accepted too."""

    # heat, terraform and gophercloud say net-id, port-id and v4-fixed-ip; python-troveclient's
    # commands network_id.
    network_id: Text | None = Field(None, validation_alias=AliasChoices("network_id", "net-id"))
    subnet_id: Text | None = None
    ip_address: Address | None = Field(
        None, validation_alias=AliasChoices("ip_address", "v4-fixed-ip")
    )
    port_id: Text | None = Field(None, validation_alias=AliasChoices("port_id", "port-id"))
    v6_address: Address | None = Field(None, validation_alias=AliasChoices("v6-fixed-ip"))


def _id_in(value: Any) -> Any:
    """The id of what is given as an object: an SDK sends a whole flavor, or its link alone."""
    if not isinstance(value, dict):
        return value
    for key in ("str_id", "id", "flavorRef"):
        if value.get(key) is not None:
            return value[key]
    links = value.get("links")
    first = links[0] if isinstance(links, list) and links else None
    return first.get("href") if isinstance(first, dict) else None


class PlainFields(Lenient):
    """Columns of the same names; no service looks at them."""

    locality: Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"] | None = (
        None
    )


class InstanceIn(PlainFields):
    """What a tenant orders; unknown keys are ignored."""

    name: Name
    # openstacksdk's Instance has no flavorRef: what it can send is `flavor`.
    flavorRef: Annotated[IdOrUrl | None, BeforeValidator(_id_in)] = Field(
        None, validation_alias=AliasChoices("flavorRef", "flavor")
    )
    volume: VolumeIn | None = None
    datastore: DatastoreIn | None = None
    databases: list[DatabaseIn] = Field(default_factory=list, max_length=MOST_ACCOUNTS)
    users: list[UserIn] = Field(default_factory=list, max_length=MOST_ACCOUNTS)
    restorePoint: RestorePointIn | None = None
    # `slave_of` is the name that older clients send.
    replica_of: IdOrUrl | None = Field(
        None, validation_alias=AliasChoices("replica_of", "slave_of")
    )
    # strict, for pydantic would take true for 1.
    replica_count: Annotated[int, Field(ge=1, le=3, strict=True), Whole] | None = None
    availability_zone: Text | None = None
    nics: list[NicIn] = Field(default_factory=list, max_length=MOST_NICS)
    configuration: IdOrUrl | None = None
    configuration_id: IdOrUrl | None = None
    modules: list[ModuleIn] = Field(default_factory=list)
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
            access=self.access.model_dump() if self.access else {},
            plain={name: getattr(self, name) for name in PlainFields.model_fields},
        )


class InstanceCreate(Lenient):
    instance: InstanceIn


# gophercloud detaches a configuration group by sending `{}`: an empty change is no error.
class InstanceChange(Strict):
    """All that is given is changed, or nothing."""

    name: Name | None = None
    configuration: Annotated[IdOrUrl | None, BeforeValidator(_id_in)] = Field(
        None, validation_alias=AliasChoices("configuration", "configuration_id")
    )
    # Its presence counts: clients send null to detach a replica.
    replica_of: Any = None
    slave_of: Any = None
    datastore_version: Name | None = None
    access: AccessIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_whole_document(cls, value: Any) -> Any:
        """Scripts change a field of what GET has returned, and send all of it back."""
        if not isinstance(value, dict) or "id" not in value:
            return value
        return {key: value[key] for key in CHANGEABLE if key in value}

    def columns(self) -> dict[str, Any]:
        """What to write into the instance's row."""
        return self.model_dump(include={"name", "access"}, exclude_none=True)


class InstanceUpdate(Lenient):
    instance: InstanceChange


class DatastoreRef(Struct):
    type: str
    version: str
    version_number: str | UnsetType = UNSET
    version_id: str | UnsetType = UNSET
    # For connections: the scheme of a URL, and the engine's own client program.
    url_scheme: str | UnsetType = UNSET
    client: str | UnsetType = UNSET
    # Whether users have hosts that mean something; a user is shown with one in any case.
    user_hosts: bool | UnsetType = UNSET


class VolumeShown(Struct):
    size: int
    # Missing until an agent has reported it: 0 would be read as empty.
    used: float | UnsetType = UNSET
    used_percent: float | UnsetType = UNSET


class AddressShown(Struct):
    address: str
    type: str


class AccessShown(Struct):
    is_public: bool
    allowed_cidrs: list[str]


class FaultShown(Struct):
    message: str | None
    created: str
    # Traces and paths of this installation are for operators.
    details: str | None


class ServerShown(Struct):
    id: str
    name: str
    status: str
    tenant_id: str


class GuestStatus(Struct):
    state_description: str


class InstanceBrief(Struct, kw_only=True):
    """One row of a list."""

    id: str
    name: str
    status: str
    operating_status: str
    links: list[Link]
    # Its id is a string even where it is a number: gophercloud reads nothing else here.
    flavor: Ref
    datastore: DatastoreRef
    region: str | None
    access: AccessShown
    volume: VolumeShown
    # Missing, not null, while there is none: gophercloud and terraform read lists. Older clients
    # and gophercloud read `ip`; newer ones `addresses` with its type.
    ip: list[str] | UnsetType = UNSET
    addresses: list[AddressShown] | UnsetType = UNSET
    replica_of: Ref | UnsetType = UNSET
    replicas: list[Ref] | UnsetType = UNSET
    # The wire's older word for the project; for administrators, whose path does not say it.
    tenant_id: str | UnsetType = UNSET


class InstanceDetail(InstanceBrief, kw_only=True):
    """All that the owner may see; ids of the infrastructure are for administrators."""

    created: str = ALWAYS
    updated: str = ALWAYS
    service_status_updated: str | None = ALWAYS
    port: int | None = ALWAYS
    unenforced: list[str] = ALWAYS
    operation_id: str | None = ALWAYS
    locality: str | UnsetType = UNSET
    availability_zone: str | UnsetType = UNSET
    fault: FaultShown | UnsetType = UNSET
    server_id: str | None | UnsetType = UNSET
    volume_id: str | None | UnsetType = UNSET
    encrypted_rpc_messaging: bool | UnsetType = UNSET


class ManagedInstance(InstanceDetail, kw_only=True):
    """What administrators see in addition."""

    server: ServerShown | None = ALWAYS
    service_status: str = ALWAYS
    guest_status: GuestStatus = ALWAYS
    task_description: str = ALWAYS
    deleted: bool = ALWAYS
    deleted_at: str | None = ALWAYS
    root_enabled: str | None = ALWAYS
    root_enabled_by: str | None = ALWAYS


class InstanceAnswer(Struct):
    instance: InstanceDetail


class InstancesAnswer(Struct):
    instances: list[InstanceBrief]
    links: Links = UNSET
    instances_links: Links = UNSET


class InstancesDetailAnswer(Struct):
    instances: list[InstanceDetail]
    links: Links = UNSET
    instances_links: Links = UNSET


class ManagedInstanceAnswer(Struct):
    instance: ManagedInstance


class ManagedInstancesAnswer(Struct):
    instances: list[ManagedInstance]
    links: Links = UNSET
    instances_links: Links = UNSET


class ConfigurationOfInstance(Struct):
    configuration: dict[str, str]


class InstanceConfigurationAnswer(Struct):
    instance: ConfigurationOfInstance


B = TypeVar("B", bound=InstanceBrief)
D = TypeVar("D", bound=InstanceDetail)


def brief(call: Call, view: InstanceView) -> InstanceBrief:
    return _brief(InstanceBrief, call, view)


def detail(call: Call, view: InstanceView) -> InstanceDetail:
    return _detail(InstanceDetail, call, view)


def managed(call: Call, view: InstanceView) -> ManagedInstance:
    row = view.row
    shown = _detail(ManagedInstance, call, view)
    shown.server = None
    if row.server_id:
        name = resource_name_of(row.id)
        shown.server = ServerShown(row.server_id, name, view.status, row.project_id)
    shown.service_status = view.operating_status
    shown.guest_status = GuestStatus(view.operating_status)
    shown.task_description = view.status
    shown.deleted = row.deleted_at is not None
    shown.deleted_at = maybe(row.deleted_at)
    shown.root_enabled = maybe(row.root_enabled_at)
    shown.root_enabled_by = row.root_enabled_by
    return shown


def _brief(kind: type[B], call: Call, view: InstanceView) -> B:
    row = view.row
    access = AccessShown(row.access.get("is_public", False), row.access.get("allowed_cidrs", []))
    shown = kind(
        id=row.id,
        name=row.name,
        status=view.status,
        operating_status=view.operating_status,
        links=call.links("instances", row.id),
        flavor=Ref(row.flavor_id, call.links("flavors", row.flavor_id)),
        datastore=DatastoreRef(view.datastore, view.datastore_version),
        region=row.region,
        access=access,
        volume=VolumeShown(row.volume_size),
    )
    if row.address is not None:
        shown.ip = [row.address]
        shown.addresses = [AddressShown(row.address, "public" if access.is_public else "private")]
    if row.replica_of is not None:
        shown.replica_of = _ref(call, row.replica_of)
    if view.replicas:
        shown.replicas = [_ref(call, replica) for replica in view.replicas]
    if call.caller.is_admin:
        shown.tenant_id = row.project_id
    return shown


def _detail(kind: type[D], call: Call, view: InstanceView) -> D:
    row = view.row
    shown = _brief(kind, call, view)
    shown.datastore.version_number = view.datastore_version_number
    shown.datastore.version_id = row.datastore_version_id
    _add_connection(shown.datastore, view.manager)
    shown.created = moment(row.created_at)
    shown.updated = moment(row.updated_at)
    shown.service_status_updated = maybe(view.reported_at)
    shown.port = row.port
    shown.unenforced = unenforced_of(view, call.inst.capabilities)
    shown.operation_id = view.operation_id
    shown.locality = row.locality or UNSET
    shown.availability_zone = row.availability_zone or UNSET
    if view.volume_used is not None:
        shown.volume.used = round(view.volume_used, 3)
        # Of what the file system holds: a part of the volume is its own.
        total = view.volume_total or row.volume_size
        shown.volume.used_percent = round(100 * view.volume_used / total, 1)
    if view.fault is not None:
        shown.fault = _fault(call, view.fault)
    if call.caller.is_admin:
        shown.server_id = row.server_id
        shown.volume_id = row.volume_id
        shown.encrypted_rpc_messaging = True
    return shown


def _add_connection(shown: DatastoreRef, manager: str) -> None:
    try:
        manifest = manifest_of(manager)
    # An instance is shown even if the package of its datastore has been removed.
    except NotFound:
        return
    shown.url_scheme = manifest.url_scheme or UNSET
    shown.client = manifest.client or UNSET
    shown.user_hosts = manifest.user_hosts


def _ref(call: Call, instance_id: str) -> Ref:
    return Ref(instance_id, call.links("instances", instance_id))


def _fault(call: Call, fault: Fault) -> FaultShown:
    details = fault.details if call.caller.is_admin else None
    return FaultShown(fault.message, moment(fault.created), details)
