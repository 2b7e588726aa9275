"""What the infrastructure has and no instance needs: left by a call that outlived its operation.

A provider call may stall for longer than its lease; when it comes back, the instance may have been
deleted. Nothing but this sweep knows of what it has made.

Law: the rows of deleted instances are kept for months, so a name that the metadata database does
not have is more likely a living instance of another database than an orphan of this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from trove.db import Database
from trove.errors import Unavailable
from trove.models.instance import Instance, resource_name_of
from trove.providers.base import Provider, Scope, ServerState, VolumeState, view_of

LOOKS = 60
PAUSE = 2.0
"""Seconds between two of them."""


@dataclass(frozen=True)
class Holding:
    """All that exists under one name."""

    name: str
    kinds: tuple[str, ...]
    """Of `server`, `volume` and `address` those that there are."""
    scope: Scope


def holdings_of(provider: Provider) -> list[Holding]:
    """Everything of this installation, ordered by name."""
    names = {
        "server": provider.compute.names(),
        "volume": provider.volumes.names(),
        "address": provider.network.names(),
    }
    found: dict[str, dict[str, Scope]] = {}
    for kind, scopes in names.items():
        for name, scope in scopes.items():
            found.setdefault(name, {})[kind] = scope
    return [
        Holding(name, tuple(kinds), next(iter(kinds.values())))
        for name, kinds in sorted(found.items())
    ]


@dataclass(frozen=True)
class Orphan:
    """A holding that no instance of this metadata database has."""

    holding: Holding
    deleted_at: datetime | None
    """When its instance was deleted; None if this metadata database has no record of it."""

    @property
    def is_known(self) -> bool:
        return self.deleted_at is not None


def orphans_of(provider: Provider, database: Database) -> list[Orphan]:
    """Those that belong to no instance, nor to one that is being created or deleted."""
    # Before the rows are read: what is made in between has a row by then.
    holdings = holdings_of(provider)
    with database.session() as session:
        rows = session.execute(select(Instance.id, Instance.deleted_at)).all()
    known = {resource_name_of(row.id): row.deleted_at for row in rows}
    living = {name for name, deleted_at in known.items() if deleted_at is None}
    return [Orphan(h, known.get(h.name)) for h in holdings if h.name not in living]


def delete_holding(
    provider: Provider, holding: Holding, pause: Callable[[float], None] = time.sleep
) -> None:
    """Delete it, and wait until it is gone; raises Unavailable if it stays."""
    within = provider.within(holding.scope)
    for _ in range(LOOKS):
        # Busy, or out of reach for a moment; every deletion may be repeated.
        with suppress(Unavailable):
            if _is_deleted(within, holding):
                return
        pause(PAUSE)
    raise Unavailable(f"{holding.name} is still being deleted; run this again later.")


def _is_deleted(provider: Provider, holding: Holding) -> bool:
    name = holding.name
    # The server first: one that runs keeps its volume busy.
    provider.compute.delete_server(name)
    if view_of(provider.compute, name, holding.scope).state is not ServerState.ABSENT:
        return False
    provider.volumes.delete_volume(name)
    if provider.volumes.volume_view(name).state is not VolumeState.ABSENT:
        return False
    provider.network.delete_address(name)
    return True
