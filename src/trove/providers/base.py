"""What the control plane asks of an infrastructure.

Law: every `ensure_` finds the thing by its derived name or makes it; every `delete_` is content
if it has gone; all return soon, and waiting is the step's business. Foreign errors are translated
at the edge: `Unavailable` (try again) or `Failed` (turn back).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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
    """Name of the volume that holds the data."""
    address: str
    port: int
    agent_files: Mapping[str, str] = field(default_factory=dict)
    """Files to put into the agent's configuration directory: name -> content. Secret."""
    availability_zone: str | None = None
    nics: Sequence[Mapping[str, str]] = ()
    seed: Sequence[str] = ()
    """`Manifest.seed` of the datastore: how a data directory for many is prepared."""


class ServerState(enum.StrEnum):
    """What the infrastructure says of a server."""

    ABSENT = "absent"
    BUILDING = "building"
    UP = "up"
    DOWN = "down"
    """It is there, but does not run; `start_server` brings it back."""
    FAILED = "failed"


@dataclass(frozen=True)
class ServerView:
    """A server as it is now."""

    state: ServerState
    detail: str = ""
    """Why, when it is not up."""
    unenforced: tuple[str, ...] = ()
    """The limits that nothing holds here, in words for users: `memory: no cgroup is writable`."""


class Compute(Protocol):
    """Servers: where an agent and its engine run."""

    def ensure_server(self, spec: ServerSpec) -> str:
        """Make and start the server of this name; its id. Does not wait until it is up."""

    def server_view(self, name: str) -> ServerView: ...

    def start_server(self, spec: ServerSpec) -> None:
        """Start a server that is down, with all that it had; content if it is up."""

    def stop_server(self, name: str) -> None: ...

    def resize_server(self, name: str, flavor: Flavor) -> None:
        """Give the server another flavor; idempotent."""

    def delete_server(self, name: str) -> None:
        """End every process of the server and remove what belongs to it."""


class Volumes(Protocol):
    """Data volumes."""

    def ensure_volume(self, name: str, size: int, volume_type: str | None = None) -> str:
        """A volume of this many GiB; its id."""

    def grow_volume(self, name: str, size: int) -> None:
        """Make it at least this many GiB, file system included, while it is in use."""

    def delete_volume(self, name: str) -> None: ...


class Network(Protocol):
    """Addresses."""

    def ensure_address(self, name: str, port: int, nics: Sequence[Mapping[str, str]] = ()) -> str:
        """An address of its own for the server of this name; the port is free there."""

    def delete_address(self, name: str) -> None: ...


class Catalog(Protocol):
    """What the infrastructure offers."""

    def flavors(self) -> Sequence[Flavor]: ...

    def volume_types(self) -> Sequence[VolumeType]: ...

    def availability_zones(self) -> Sequence[str]: ...

    def check_nics(self, nics: Sequence[Mapping[str, str]]) -> None:
        """Whether a server may be ordered with these, as `ensure_address` takes them; raises
        Invalid naming `nics`."""


@dataclass(frozen=True)
class Provider:
    """One infrastructure, composed of its capabilities."""

    name: str
    compute: Compute
    volumes: Volumes
    network: Network
    catalog: Catalog


def flavor_of(catalog: Catalog, flavor_id: str) -> Flavor | None:
    """The flavor with this id, if there is one."""
    return next((f for f in catalog.flavors() if f.id == flavor_id), None)
