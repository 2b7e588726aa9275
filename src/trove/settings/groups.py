"""Everything that can be set, in frozen groups, built once in `main` and passed down.

A field's docstring is its line in `docs/operators/settings.md`, which is generated from here.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

G = TypeVar("G")


def in_url(host: str) -> str:
    """A host as URLs bear it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there; a name but localhost may be any."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class ApiSettings:
    """The tenants' API."""

    bind_host: str = "0.0.0.0"  # noqa: S104 - what operators know; standalone binds loopback
    """The address that the API listens on."""
    bind_port: int = 8779
    """The port that the API listens on."""
    workers: int = 1
    """Processes of the API behind its one port."""
    # Never for an existing installation that a proxy or Keystone's catalog names with http.
    tls: str = "auto"
    """Whether the API speaks TLS. `auto`: with a certificate of your own, and with the built-in
    identity where it listens beyond loopback and no `public_endpoint` or trusted proxy is named."""
    tls_certificate: Path | None = None
    """PEM file of the API's certificate, read again when it changes; without it, and with TLS, the
    installation's authority makes one at each start."""
    tls_private_key: Path | None = None
    """PEM file of the certificate's private key, unless that is in the same file."""
    public_endpoint: str | None = None
    """The address that links show, in place of the request's own."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of proxies, separated by commas, that may say for whom they call
    (X-Forwarded-For, -Proto)."""
    max_connections: int = 8192
    """Connections to one process of the API; at most a third of the files that it may open."""
    max_connections_per_peer: int = 1024
    """Of these, connections from one address, unless it is a trusted proxy's."""
    # The defaults here are those that older files rely on by not naming the option.
    http_get_rate: int = 200
    """GET requests that a project may send a minute."""
    http_post_rate: int = 200
    """POST requests that a project may send a minute."""
    http_put_rate: int = 200
    """PUT requests that a project may send a minute."""
    http_delete_rate: int = 200
    """DELETE requests that a project may send a minute."""
    http_mgmt_post_rate: int = 200
    """POST requests below /mgmt that a project may send a minute."""
    # As in the policies of other OpenStack services.
    admin_roles: tuple[str, ...] = ("admin",)
    """Roles whose bearers are administrators, separated by commas."""
    # Several clients look a name up on the first page alone.
    page_size: int = 100
    """Items of one page of instances, and of any other list but the two below."""
    databases_page_size: int = 1000
    """Databases of one page."""
    users_page_size: int = 1000
    """Users of one page."""
    ignore_dbs: tuple[str, ...] = ()
    """Databases that tenants neither see nor make, on every engine, besides each engine's own."""
    ignore_users: tuple[str, ...] = ()
    """Users that tenants neither see nor make, on every engine, besides each engine's own."""
    auth: str = "builtin"
    """Who says who calls: the built-in identity, or Keystone."""
    token_seconds: int = 3600 * 12
    """Seconds that a token of the built-in identity lives."""
    # Long enough for the requests of one command, too short to matter when a token is revoked.
    token_cache_seconds: float = 3
    """Seconds that a valid token is remembered: the longest that a revoked one still works."""
    region: str = "RegionOne"
    """The region of instances and of the built-in identity's catalog."""
    ignore_unavailable_placement: bool = False
    """Whether an order may name a network, an availability zone or a volume type that is not there:
    it is ignored then, and listed as `unenforced`. By default such an order is refused."""
    hostname_require_valid_ip: bool = True
    """Whether the host of a MariaDB user must be an address, or a pattern of one."""

    @property
    def local_url(self) -> str:
        """Where this machine calls it: 0.0.0.0 is where one listens, not where one calls."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind_host, self.bind_host)  # noqa: S104
        scheme = "https" if self.has_tls else "http"
        return f"{scheme}://{in_url(host)}:{self.bind_port}"

    @property
    def has_tls(self) -> bool:
        if self.tls != "auto":
            return self.tls == "on"
        # What is in front of it, or the catalog that names it, was there before this setting.
        is_named = self.public_endpoint or self.trusted_proxies or self.auth != "builtin"
        return bool(self.tls_certificate) or not (is_named or is_loopback(self.bind_host))


@dataclass(frozen=True)
class LimitSettings:
    """What a project may have unless an administrator says otherwise; -1 is no limit."""

    max_instances_per_tenant: int = 10
    """Instances of one project; -1 is no limit."""
    max_ram_per_tenant: int = -1
    """MiB of memory of all instances of one project; -1 is no limit."""
    # In GiB, not in volumes, whatever the name says.
    max_volumes_per_tenant: int = 40
    """GiB of all volumes of one project; -1 is no limit."""
    max_backups_per_tenant: int = 50
    """Backups of one project; -1 is no limit."""
    max_accepted_volume_size: int = 10
    """GiB that one volume may have."""

    @property
    def quotas(self) -> dict[str, int]:
        return {
            "instances": self.max_instances_per_tenant,
            "ram": self.max_ram_per_tenant,
            "volumes": self.max_volumes_per_tenant,
            "backups": self.max_backups_per_tenant,
        }


@dataclass(frozen=True)
class TimingSettings:
    """Seconds."""

    usage_timeout: float = 1800
    """Seconds within which an instance must be created."""
    agent_heartbeat_time: float = 10
    """Seconds between two reports of an agent."""
    # Several reports may be lost before an agent counts as silent.
    agent_heartbeat_expiry: float = 90
    """Seconds after which a silent agent shows as an error."""
    agent_call_low_timeout: float = 15
    """Seconds that a call of the API waits for an agent's answer."""
    agent_call_high_timeout: float = 180
    """Seconds that an operation waits for a short task of an agent."""
    resize_time_out: float = 900
    """Seconds within which an instance must be resized."""
    enrolment_seconds: float = 3600
    """Seconds that the one-time token of a new agent is good for."""
    operation_retention: float = 30 * 86400
    """Seconds that ended operations, events and answered tasks are kept."""
    deleted_instance_retention: float = 90 * 86400
    """Seconds that the records of deleted instances and of their agents are kept."""


@dataclass(frozen=True)
class ConductorSettings:
    """The agents' endpoint."""

    # Agents of the local provider are on this machine; no other machine needs access.
    bind_host: str = "127.0.0.1"
    """The address that the conductor listens on."""
    bind_port: int = 8780
    """The port that the conductor listens on."""
    public_url: str | None = None
    """Where agents find it; by default the address that it binds."""
    tls_certificate: Path | None = None
    """PEM file of the conductor's certificate; with it, agents come by HTTPS."""
    tls_private_key: Path | None = None
    """PEM file of the certificate's private key."""
    # Two for each agent; those of the local provider all come from this machine.
    max_connections: int = 32768
    """Connections of agents; at most a third of the files that the process may open."""
    max_connections_per_peer: int = 16384
    """Of these, connections from one address."""

    @property
    def url(self) -> str:
        scheme = "https" if self.tls_certificate else "http"
        return self.public_url or f"{scheme}://{in_url(self.bind_host)}:{self.bind_port}"


@dataclass(frozen=True)
class Settings:
    """One installation."""

    state_directory: Path = Path("/var/lib/trove")
    """Where everything lies that this installation must not lose."""
    database_url: str = ""
    """SQLAlchemy URL of the metadata database; by default SQLite in the state directory."""
    provider: str = "local"
    """The infrastructure on which instances run."""
    default_datastore: str | None = None
    """What is created when a request names no datastore: its name or id; by default the one that
    was registered first. `trove datastore-list` marks it."""
    taskmanager_threads: int = 4
    """Steps that one task manager does at once."""
    # No token is required there, so it is for this machine unless an operator opens it.
    metrics_host: str = "127.0.0.1"
    """The address at which a task manager shows /metrics and /healthcheck."""
    metrics_port: int | None = None
    """The port at which a task manager shows them; by default it does not."""
    secret_key_file: Path | None = None
    """The key that seals stored secrets; by default a file in the state directory."""
    authority_directory: Path | None = None
    """The installation's certificate authority; by default in the state directory."""
    debug: bool = False
    """Log more."""
    log_file: Path | None = None
    """Log into this file, which may be rotated, in place of stderr."""
    use_syslog: bool = False
    """Log to the machine's syslog in place of stderr."""
    log_format: str = "auto"
    """How a line of the log looks; `auto` is text on a terminal and JSON elsewhere."""
    api: ApiSettings = field(default_factory=ApiSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)
    conductor: ConductorSettings = field(default_factory=ConductorSettings)
    datastores: dict[str, dict[str, str]] = field(default_factory=dict)
    """The options of each datastore's own section, such as [mysql], as far as they are known."""
    keystone_authtoken: dict[str, str] = field(default_factory=dict)
    providers: dict[str, object] = field(default_factory=dict)
    """The group of each infrastructure that has settings of its own, by its name."""

    def provider_group(self, name: str, kind: type[G]) -> G:
        """The settings of this provider; the defaults where there are none."""
        found = self.providers.get(name)
        return found if isinstance(found, kind) else kind()

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.state_directory}/trove.sqlite"

    @property
    def key_file(self) -> Path:
        return self.secret_key_file or self.state_directory / "keys" / "secrets.key"

    @property
    def authority(self) -> Path:
        return self.authority_directory or self.state_directory / "ca"
