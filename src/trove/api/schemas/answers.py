"""What stands in answers, for the OpenAPI document. Answers are not checked against it at run time;
the tests do that."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Shown(BaseModel):
    """Further keys may come with later releases."""

    # Additions never break a client that is not told of them; so the document must not promise that
    # there are none.
    model_config = ConfigDict(extra="allow")


class Link(Shown):
    rel: str
    href: str


class Paged(Shown):
    links: list[Link] = []


class FlavorRef(Shown):
    id: str
    links: list[Link]


class DatastoreRef(Shown):
    type: str
    version: str
    version_number: str = ""


class VolumeShown(Shown):
    size: int
    used: float = 0.0


class AddressShown(Shown):
    address: str
    type: str


class IdRef(Shown):
    id: str
    links: list[Link]


class FaultShown(Shown):
    message: str | None
    created: str
    details: str | None


class InstanceBrief(Shown):
    id: str
    name: str
    status: str
    operating_status: str
    links: list[Link]
    flavor: FlavorRef
    datastore: DatastoreRef
    volume: VolumeShown
    region: str | None
    access: dict[str, Any]
    ip: list[str] = []
    addresses: list[AddressShown] = []


class InstanceDetail(InstanceBrief):
    created: str
    updated: str
    service_status_updated: str | None
    port: int | None
    unenforced: list[str]
    """The limits that nothing on this machine holds."""
    operation_id: str | None
    fault: FaultShown | None = Field(default_factory=lambda: None)


class InstanceAnswer(Shown):
    instance: InstanceDetail


class InstancesAnswer(Paged):
    instances: list[InstanceBrief]


class InstancesDetailAnswer(Paged):
    instances: list[InstanceDetail]


class ConfigurationOfInstance(Shown):
    configuration: dict[str, Any]


class InstanceConfigurationAnswer(Shown):
    instance: ConfigurationOfInstance


class NameShown(Shown):
    name: str


class DatabasesAnswer(Paged):
    databases: list[NameShown]


class UserShown(Shown):
    name: str
    host: str
    databases: list[NameShown]


class UsersAnswer(Paged):
    users: list[UserShown]


class UserAnswer(Shown):
    user: UserShown


class RootEnabledAnswer(Shown):
    rootEnabled: bool


class RootUserShown(Shown):
    name: str
    password: str


class RootUserAnswer(Shown):
    user: RootUserShown


class VersionShown(Shown):
    id: str
    name: str
    version: str
    links: list[Link] = []


class VersionsAnswer(Shown):
    versions: list[VersionShown]


class VersionAnswer(Shown):
    version: VersionShown


class DatastoreShown(Shown):
    id: str
    name: str
    links: list[Link]
    versions: list[VersionShown]


class DatastoresAnswer(Shown):
    datastores: list[DatastoreShown]


class DatastoreAnswer(Shown):
    datastore: DatastoreShown


class FlavorShown(Shown):
    id: int | None
    str_id: str
    name: str
    ram: int
    vcpus: int
    disk: int
    ephemeral: int
    links: list[Link]


class FlavorsAnswer(Shown):
    flavors: list[FlavorShown]


class FlavorAnswer(Shown):
    flavor: FlavorShown


class VolumeTypeShown(Shown):
    id: str
    name: str
    is_public: bool
    description: str


class VolumeTypesAnswer(Shown):
    volume_types: list[VolumeTypeShown]


class VolumeTypeAnswer(Shown):
    volume_type: VolumeTypeShown


class LimitsAnswer(Shown):
    limits: list[dict[str, Any]]


class QuotaShown(Shown):
    resource: str
    in_use: int
    reserved: int
    limit: int


class QuotasAnswer(Shown):
    quotas: list[QuotaShown]


class QuotasSetAnswer(Shown):
    quotas: dict[str, int]


class StepShown(Shown):
    name: str
    state: str = Field(
        description="done, running, pending, undoing, undone, failed, cancelled or superseded"
    )


class OperationShown(Shown):
    id: str
    workflow: str
    subject_id: str
    state: str = Field(description="running, undoing, succeeded, failed, cancelled or superseded")
    step: str = Field(
        description="Where it stands; of what has failed or was cancelled, where that happened."
    )
    progress: int = Field(description="How far it came, in per cent; undoing leaves it as it is.")
    note: str | None
    error: str | None
    created: str
    updated: str
    can_be_cancelled: bool
    steps: list[StepShown]


class OperationsAnswer(Paged):
    operations: list[OperationShown]


class OperationAnswer(Shown):
    operation: OperationShown


class EventShown(Shown):
    id: str
    kind: str
    subject_id: str | None
    operation_id: str | None
    created: str
    payload: dict[str, Any]


class EventsAnswer(Paged):
    events: list[EventShown]


class TlsShown(Shown):
    status: str
    mode: str


class TlsAnswer(Shown):
    ssl: TlsShown


class AuthorityShown(Shown):
    certificate: str


class AuthorityAnswer(Shown):
    certificate_authority: AuthorityShown


class RootHistoryShown(Shown):
    id: str
    enabled: str
    user: str


class RootHistoryAnswer(Shown):
    root_history: RootHistoryShown


class ApiVersionShown(Shown):
    id: str
    status: str
    updated: str
    links: list[Link]


class ApiVersionsAnswer(Shown):
    versions: list[ApiVersionShown]


class ApiVersionAnswer(Shown):
    version: ApiVersionShown


class HealthAnswer(Shown):
    status: str
