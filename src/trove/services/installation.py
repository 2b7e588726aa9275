"""What one process works with: built once in `main`, passed down, never a global."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from trove.db import Clock, Database, DatabaseClock
from trove.errors import Forbidden
from trove.providers.base import Capability, Catalog, Scope, unknown, unlimited
from trove.settings import Settings
from trove.vault import Vault


@dataclass(frozen=True)
class Installation:
    """The services' environment."""

    settings: Settings
    database: Database
    vault: Vault
    catalog: Catalog
    capabilities: frozenset[Capability] = field(default_factory=frozenset, kw_only=True)
    """What the provider can do besides."""
    memory_limit: Callable[[], int | None] = field(default=unlimited, kw_only=True)
    """MiB that the provider has for all instances together; None if it does not say."""
    locales: Callable[[], Collection[str] | None] = field(default=unknown, kw_only=True)
    """Those that servers have; None if that is not known."""
    clock: Clock = field(default_factory=DatabaseClock)

    def catalog_for(self, caller: Caller) -> Catalog:
        """What the infrastructure offers to the caller's project."""
        return self.catalog.within(Scope(caller.project_id))


@dataclass(frozen=True)
class Caller:
    """On whose behalf something is done."""

    project_id: str
    user_id: str
    roles: frozenset[str] = frozenset()
    is_admin: bool = False
    request_id: str = ""
    user_name: str = ""

    def must_be_admin(self) -> None:
        """Raises Forbidden."""
        if not self.is_admin:
            raise Forbidden
