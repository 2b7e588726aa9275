"""What the control plane requires of an infrastructure.

Law: every `ensure_` finds the thing by its derived name or makes it; every `delete_` succeeds if
it is absent. All return soon, perhaps before the infrastructure has finished: the views show when
it has, and waiting is the step's business. While one action is pending, another one may be refused
with `Unavailable`. Foreign errors are translated at the edge: `Unavailable` (try again) or `Failed`
(turn back).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from trove.errors import Unavailable
from trove.settings import Settings


@dataclass(frozen=True)
class Flavor:
    """A size of server."""

    id: str
    name: str
    memory: int
    """MiB."""
    vcpus: int
    disk: int = 0
    """GiB."""
    ephemeral: int = 0


@dataclass(frozen=True)
class VolumeType:
    """A kind of volume."""

    id: str
    name: str
    description: str = ""
    is_public: bool = True


class Capability(enum.StrEnum):
    """What an infrastructure may be able to do besides; recipes choose their steps by it.

    With each stands what nothing enforces without it: a field of an instance's `access`, and why.
    """

    access: str
    otherwise: str

    ONLINE_VOLUME_GROW = "online_volume_grow"
    """A volume grows while its server runs."""
    FIREWALL = "firewall", "allowed_cidrs", "nothing here keeps other clients from the address"
    """Only addresses in `access.allowed_cidrs` reach an instance."""
    PUBLIC_ADDRESS = (
        "public_address",
        "is_public",
        "nothing here makes the address reachable from outside",
    )
    """An instance can be reached from other networks if `access.is_public` says so."""

    def __new__(cls, value: str, access: str = "", otherwise: str = "") -> Capability:
        made = str.__new__(cls, value)
        made._value_, made.access, made.otherwise = value, access, otherwise
        return made


def unenforced_access(
    access: Mapping[str, object], capabilities: frozenset[Capability]
) -> list[str]:
    """What an instance's `access` requests of an infrastructure with only these capabilities."""
    return [
        f"access.{each.access}: {each.otherwise}"
        for each in Capability
        if access.get(each.access) and each not in capabilities
    ]


@dataclass(frozen=True)
class Scope:
    """On whose behalf, and where, the calls to a provider are made."""

    project_id: str | None = None
    availability_zone: str | None = None


ANYWHERE = Scope()
"""No one's in particular."""


@dataclass(frozen=True)
class ServerSpec:
    """All that is needed to make the server of one instance."""

    name: str
    instance_id: str
    flavor: Flavor
    manager: str
    """The datastore folder, for example `postgresql`."""
    version: str
    image: str | None
    """What the server is made from; locally, the directory of the engine's programs."""
    volume: str
    """Name of the volume that holds the data; it is attached before the server runs."""
    address: str
    port: int
    agent_files: Mapping[str, str] = field(default_factory=dict)
    """Files to put into the agent's configuration directory: name -> content. Secret."""
    nics: Sequence[Mapping[str, str]] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the engine (see `EngineSpec`), from the section of its datastore."""


class ServerState(enum.StrEnum):
    """What the infrastructure says of a server."""

    ABSENT = "absent"
    BUILDING = "building"
    """It is being made or started."""
    UP = "up"
    """Also while it is being stopped."""
    DOWN = "down"
    """It exists, but does not run; `start_server` brings it back."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """This one cannot be seen at present."""


@dataclass(frozen=True)
class ServerView:
    """A server as it is now."""

    state: ServerState
    detail: str = ""
    """Why, when it is not up."""
    unenforced: tuple[str, ...] = ()
    """The limits that nothing holds here, in words for users: `memory: no cgroup is writable`."""
    agent_error: str = ""
    """Why its agent does not stay up, if the infrastructure sees that it ends at each start."""


class ResizeState(enum.StrEnum):
    """How far a resize has come."""

    PENDING = "pending"
    """It is being begun, confirmed or reverted."""
    READY = "ready"
    """Begun; to be confirmed or reverted."""
    DONE = "done"
    """There is none, or nothing is left to do."""
    FAILED = "failed"


class VolumeState(enum.StrEnum):
    """What the infrastructure says of a volume."""

    ABSENT = "absent"
    PENDING = "pending"
    """It is being made, grown or deleted."""
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class VolumeView:
    """A volume as it is now."""

    state: VolumeState
    detail: str = ""
    """Why, when it is not ready."""


class Compute(Protocol):
    """Servers, in which an agent and its engine run."""

    def ensure_server(self, spec: ServerSpec) -> str:
        """Make and start the server of this name, with its volume attached; its id."""

    def server_views(self, scopes: Mapping[str, Scope]) -> Mapping[str, ServerView]:
        """A view for each name, which was made in its scope, in as few calls as possible.

        Names of many scopes may be viewed at once, whatever scope this is itself bound to.
        """

    def names(self) -> Mapping[str, Scope]:
        """Every server of this installation, complete or not, with the scope it was made in."""

    def start_server(self, spec: ServerSpec) -> None:
        """Start a server that is down, with all that it had; succeeds if it is up."""

    def stop_server(self, name: str) -> None:
        """Succeeds if it is down."""

    def begin_resize(self, name: str, flavor: Flavor) -> None:
        """Give the server this flavor in such a way that both its sizes still are possible.

        Until `confirm_resize` the engine may use as much as the larger of the two allows, as far
        as the infrastructure can do so.
        """

    def resize_state(self, name: str) -> ResizeState: ...

    def confirm_resize(self, name: str, flavor: Flavor) -> None:
        """Keep the flavor of `begin_resize`, and hold the server to it."""

    def revert_resize(self, name: str, flavor: Flavor) -> None:
        """Return to this flavor, which the server had, however far the resize has come.

        Also after a confirmation whose answer was lost.
        """

    def delete_server(self, name: str) -> None:
        """End every process of the server and remove what belongs to it."""


class Volumes(Protocol):
    """Data volumes. The provider makes their file systems where it can, else the guest does."""

    def ensure_volume(self, name: str, size: int, volume_type: str | None = None) -> str:
        """A volume of this many GiB; its id."""

    def volume_view(self, name: str) -> VolumeView: ...

    def names(self) -> Mapping[str, Scope]:
        """As `Compute.names`."""

    def grow_volume(self, name: str, size: int) -> None:
        """Make it at least this many GiB, file system included.

        While its server runs where `Capability.ONLINE_VOLUME_GROW` holds.
        """

    def delete_volume(self, name: str) -> None: ...


class Network(Protocol):
    """Addresses."""

    def ensure_address(self, name: str, port: int, nics: Sequence[Mapping[str, str]] = ()) -> str:
        """An address that only the server of this name has; the port is free there."""

    def delete_address(self, name: str) -> None: ...

    def names(self) -> Mapping[str, Scope]:
        """As `Compute.names`; those that have an address."""


class Catalog(Protocol):
    """What the infrastructure offers, in one scope."""

    def within(self, scope: Scope) -> Catalog:
        """What it offers there: a flavor or network may be one project's alone."""

    def flavors(self) -> Sequence[Flavor]: ...

    def volume_types(self) -> Sequence[VolumeType]: ...

    def availability_zones(self) -> Sequence[str]: ...

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> str | None:
        """Whether a server may be created with these, as `ensure_address` takes them.

        Returns the address that they request if only one instance of the whole installation can
        have it. Raises Invalid naming `nics.ip_address` for an address that none can have, and
        `nics` for anything else.
        """

    def check_image(self, image: str | None, tags: Sequence[str], programs: Sequence[str]) -> None:
        """Whether servers can be made from this image, or else from one that has all these tags.

        `programs`: names that the engine's program may have, of which one must be in an image that
        is a directory. Raises Invalid naming `image` or `image_tags`.
        """


def unlimited() -> int | None:
    """The memory of an infrastructure that finds room, or refuses, by itself."""
    return None


def unknown() -> Collection[str] | None:
    """The locales of servers that no one has looked into."""
    return None


@dataclass(frozen=True)
class Provider:
    """One infrastructure, composed of its parts."""

    name: str
    compute: Compute
    volumes: Volumes
    network: Network
    catalog: Catalog
    capabilities: frozenset[Capability] = frozenset()
    memory_limit: Callable[[], int | None] = unlimited
    """MiB that all servers may have together, so that orders beyond it are refused at once."""
    locales: Callable[[], Collection[str] | None] = unknown
    """Those that the operating system of every server has."""

    def within(self, scope: Scope) -> Provider:
        """The same for calls in this scope; by default only what is offered depends on it."""
        return replace(self, catalog=self.catalog.within(scope))


@dataclass(frozen=True)
class Plugin:
    """What a package that is a provider brings: its `PROVIDER`."""

    create: Callable[[Settings], Provider]
    """Makes the provider; touches nothing before the provider's first call. Raises Invalid."""
    settings: type | None = None
    """Its group of settings (see `trove.settings.plugins`), read from a section of its name."""


def flavor_of(catalog: Catalog, flavor_id: str) -> Flavor | None:
    """The flavor with this id, if it exists."""
    return next((f for f in catalog.flavors() if f.id == flavor_id), None)


def view_of(compute: Compute, name: str, scope: Scope = ANYWHERE) -> ServerView:
    """One server; raises Unavailable if it cannot be seen."""
    view = compute.server_views({name: scope})[name]
    if view.state is ServerState.UNKNOWN:
        raise Unavailable(f"The server {name} cannot be seen: {view.detail}")
    return view
