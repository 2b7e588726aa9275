"""A datastore as one object: its manifest, its driver, and the parts that the engine has.

Law: what an engine can do for tenants is exactly which parts its `Datastore` has.
"""

from __future__ import annotations

import enum
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from trove.datastores.base import Databases, Driver, Manifest, Root, Tls, Users
from trove.errors import NotSupported
from trove.protocol import Accounts
from trove.protocol.engine_spec import EngineSpec
from trove.protocol.seeds import Seed

T = TypeVar("T")


class Part(enum.StrEnum):
    """What an engine may have or lack, by the name of its field in `Datastore`."""

    DATABASES = "databases"
    USERS = "users"
    ROOT = "root"
    TLS = "tls"


@dataclass(frozen=True)
class Lazy:
    """A function named as `module:function`, imported when it is first called.

    So that both sides can read a datastore without its client library. What the function returns
    is checked in its own module by its annotation, and a test compares that with the part.
    """

    reference: str

    def resolve(self) -> Callable[..., Any]:
        """The function; raises ImportError or AttributeError."""
        found: Callable[..., Any] = pkgutil.resolve_name(self.reference)
        return found

    def __call__(self, *args: Any) -> Any:
        return self.resolve()(*args)


@dataclass(frozen=True)
class Datastore:
    """An engine plug-in; every field but the manifest is usually a `Lazy` function."""

    manifest: Manifest
    driver: Callable[[EngineSpec], Driver]
    databases: Callable[[EngineSpec], Databases] | None = None
    users: Callable[[EngineSpec], Users] | None = None
    root: Callable[[EngineSpec], Root] | None = None
    accounts: Callable[[EngineSpec], Accounts] | None = None
    """What tenants may see of databases, users and root, read at once: the agent reads it every
    few seconds, and a connection for each part would cost the engine three."""
    tls: Callable[[EngineSpec], Tls] | None = None
    sizes: Callable[[int, int, int], dict[str, str]] | None = None
    """Settings by MiB of memory that the engine may use, processors, and MiB of volume."""
    seed: Callable[[], Seed] | None = None
    """For an engine that begins faster with a copy of a prepared data directory."""

    def __post_init__(self) -> None:
        has_accounts = any(map(self.has, (Part.DATABASES, Part.USERS, Part.ROOT)))
        if has_accounts != (self.accounts is not None):
            raise ValueError(f"{self.manifest.manager}: `accounts` goes with the parts it reads")

    def has(self, part: Part) -> bool:
        return getattr(self, part) is not None


class Parts:
    """The parts of one engine, each made when it is first used.

    One that the engine lacks raises NotSupported.
    """

    def __init__(self, datastore: Datastore, spec: EngineSpec) -> None:
        self.datastore = datastore
        self.spec = spec

    @cached_property
    def driver(self) -> Driver:
        return self.datastore.driver(self.spec)

    @cached_property
    def databases(self) -> Databases:
        return self._made(Part.DATABASES, self.datastore.databases)

    @cached_property
    def users(self) -> Users:
        return self._made(Part.USERS, self.datastore.users)

    @cached_property
    def root(self) -> Root:
        return self._made(Part.ROOT, self.datastore.root)

    @cached_property
    def tls(self) -> Tls:
        return self._made(Part.TLS, self.datastore.tls)

    def accounts(self) -> Accounts:
        """What tenants may see; empty for an engine without accounts."""
        read = self.datastore.accounts
        return read(self.spec) if read else Accounts()

    def _made(self, part: Part, make: Callable[[EngineSpec], T] | None) -> T:
        if make is None:
            raise NotSupported(f"{self.datastore.manifest.title} has no {part}.")
        return make(self.spec)
