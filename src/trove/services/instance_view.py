"""What is told of an instance: one flat row, read with one query, its status derived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, select
from sqlalchemy.orm import Session

from trove.db import Reader
from trove.engine import Operation, State
from trove.models.agent import Agent
from trove.models.datastore import Datastore, DatastoreVersion
from trove.models.instance import Instance
from trove.models.status import is_silent, status_of
from trove.services.installation import Installation
from trove.settings import Settings
from trove.workflows import statuses_of
from trove.workflows.subjects import INSTANCE


class InstanceView(msgspec.Struct, frozen=True):
    """An instance as its owner, or an administrator, may see it."""

    id: str
    name: str
    project_id: str
    datastore: str
    datastore_version: str
    datastore_version_number: str
    datastore_version_id: str
    manager: str
    flavor_id: str
    memory: int
    """MiB."""
    vcpus: int
    volume_size: int
    """GiB."""
    volume_used: float | None
    """GiB."""
    volume_type: str | None
    region: str | None
    availability_zone: str | None
    locality: str | None
    access: dict[str, Any]
    address: str | None
    port: int | None
    replica_of: str | None
    created: datetime
    updated: datetime
    reported_at: datetime | None
    operation_id: str | None
    server_id: str | None
    volume_id: str | None
    unenforced: list[str]
    deleted_at: datetime | None
    root_enabled_at: datetime | None
    root_enabled_by: str | None
    status: str
    operating_status: str
    fault: dict[str, Any] | None
    """{"message", "created", "details"} of the last operation, when it failed."""
    replicas: tuple[str, ...]


UNHEEDED = {
    "allowed_cidrs": "access.allowed_cidrs: nothing here keeps others from the address",
    "is_public": "access.is_public: nothing here lets others reach the address",
}


def unenforced_of(view: InstanceView) -> list[str]:
    """What nothing holds for this instance: limits that its server lacks, and who may reach it."""
    # No provider looks at `access`. It is not refused, for clients send it with every order.
    asked = [why for key, why in UNHEEDED.items() if view.access.get(key)]
    return [*view.unenforced, *asked]


INSTANCES = Instance.__table__.c
"""Columns of tables, not attributes of classes: without the ORM a page is read in half the time."""

REPLICAS = select(INSTANCES.replica_of, INSTANCES.id).where(
    INSTANCES.replica_of.in_(bindparam("sources", expanding=True)),
    INSTANCES.deleted_at.is_(None),
)
STORED = InstanceView.__struct_fields__.index("status")
"""How many of a view's fields are columns; what follows is derived."""
STATUSES = statuses_of(INSTANCE)
FAULTY = frozenset({State.FAILED, State.CANCELLED})


@cache
def query() -> Select[Any]:
    """Instances with all that their view needs; to be narrowed by the caller, by `INSTANCES`.

    The view's stored fields in their order, then what the others are derived from.
    """
    instance, version = Instance.__table__, DatastoreVersion.__table__
    datastore, operation, agent = Datastore.__table__, Operation.__table__, Agent.__table__
    replica = instance.alias("replica")
    columns: dict[str, ColumnElement[Any]] = dict(instance.c.items()) | {
        "datastore": datastore.c.name,
        "datastore_version": version.c.name,
        "datastore_version_number": version.c.number,
        "manager": version.c.manager,
        "volume_used": agent.c.volume_used,
        "created": instance.c.created_at,
        "updated": instance.c.updated_at,
        "reported_at": agent.c.reported_at,
        "operation_id": operation.c.id,
    }
    stored = InstanceView.__struct_fields__[:STORED]
    return (
        select(
            *(columns[name].label(name) for name in stored),
            operation.c.workflow,
            operation.c.state.label("operation_state"),
            operation.c.error,
            operation.c.updated_at.label("operation_updated_at"),
            agent.c.engine_state,
            exists().where(replica.c.replica_of == instance.c.id).label("has_replicas"),
        )
        .select_from(instance)
        .join(version, version.c.id == instance.c.datastore_version_id)
        .join(datastore, datastore.c.id == version.c.datastore_id)
        .outerjoin(operation, operation.c.id == instance.c.last_operation_id)
        .outerjoin(agent, agent.c.instance_id == instance.c.id)
    )


def views_of(
    session: Reader, rows: Sequence[Row[Any]], now: datetime, expiry: timedelta
) -> list[InstanceView]:
    """The views of these rows of `query()`."""
    sources = [row.id for row in rows if row.has_replicas]
    replicas = _replicas_of(session, sources) if sources else {}
    return [_view_of(row, replicas.get(row.id, ()), now, expiry) for row in rows]


def view_of(inst: Installation, session: Session, instance_id: str) -> InstanceView:
    """The view of one instance that is known to exist."""
    rows = session.execute(query().where(INSTANCES.id == instance_id)).all()
    return views_of(session, rows, inst.clock.now(session), expiry_of(inst.settings))[0]


def expiry_of(settings: Settings) -> timedelta:
    """How long an agent may be silent."""
    return timedelta(seconds=settings.timing.agent_heartbeat_expiry)


def _view_of(
    row: Row[Any], replicas: tuple[str, ...], now: datetime, expiry: timedelta
) -> InstanceView:
    workflow, state, error, ended_at, engine_state, _ = row[STORED:]
    status = status_of(
        has_server=row.server_id is not None,
        workflow_status=STATUSES.get(workflow) if workflow else None,
        operation_state=state,
        engine_state=engine_state,
        silent=is_silent(row.reported_at, now, expiry),
        deleted=row.deleted_at is not None,
    )
    fault = None
    if state in FAULTY:
        told = f"{workflow} ended {state}; operation {row.operation_id}"
        fault = {"message": error, "created": ended_at, "details": told}
    fields: tuple[Any, ...] = (*row[:STORED], *status, fault, replicas)
    return InstanceView(*fields)


def _replicas_of(session: Reader, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found = session.execute(REPLICAS, {"sources": ids})
    replicas: dict[str, tuple[str, ...]] = {}
    for source, replica_id in found:
        assert source is not None
        replicas[source] = (*replicas.get(source, ()), replica_id)
    return replicas
