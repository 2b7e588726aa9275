"""An instance as its owner or an administrator may see it: one statement reads it, its status is
derived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, select

from trove.db import Clock, DatabaseNow, Reader
from trove.engine import Operation, State
from trove.models.agent import Agent
from trove.models.datastore import Datastore, DatastoreVersion
from trove.models.instance import Instance
from trove.models.status import effective_state_of, is_full, is_silent, reason_of, status_of
from trove.providers.base import Capability, unenforced_access
from trove.services.installation import Installation
from trove.settings import Settings
from trove.workflows import statuses_of
from trove.workflows.subjects import INSTANCE


class Fault(msgspec.Struct, frozen=True):
    """Why the instance is not healthy, or why its last operation failed."""

    message: str | None
    created: datetime
    details: str


class InstanceView(msgspec.Struct, frozen=True):
    """The columns of an instance, what other tables have of it, and what follows from both.

    A new column of `Instance` is in `row` without a further line here.
    """

    row: Instance
    """Its columns only: a row of a result, not an object of a session."""
    datastore: str
    datastore_version: str
    datastore_version_number: str
    manager: str
    volume_used: float | None
    """GiB."""
    volume_total: float | None
    """GiB that the volume's file system can hold, if that is known."""
    reported_at: datetime | None
    operation_id: str | None
    status: str
    operating_status: str
    fault: Fault | None
    replicas: Sequence[str]


def unenforced_of(view: InstanceView, capabilities: frozenset[Capability]) -> list[str]:
    """What was promised or requested and nothing enforces: limits, placement, who may reach it."""
    row = view.row
    # Such `access` is not refused, because clients send it with every order.
    return [*row.unenforced, *(row.ignored or ()), *unenforced_access(row.access, capabilities)]


INSTANCES = Instance.__table__.c
"""Columns of tables, not attributes of classes: without the ORM a page is read in half the time."""

STATUSES = statuses_of(INSTANCE)
FAULTY = frozenset({State.FAILED, State.CANCELLED})


def instances_where(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Ids of the table alone, for `with_details`: an index has all that is needed to choose."""
    return select(INSTANCES.id).where(*conditions)


def with_details(chosen: Select[Any]) -> Select[Any]:
    """These instances, newest first, with all that their views need.

    One row for each replica of an instance, and one for an instance without any. So `chosen` is a
    subquery: a limit in it counts instances.
    """
    page = chosen.subquery("page")
    instance, replica = Instance.__table__.alias("instance"), Instance.__table__.alias("replica")
    version, datastore = DatastoreVersion.__table__, Datastore.__table__
    operation, agent = Operation.__table__, Agent.__table__
    beside: dict[str, ColumnElement[Any]] = {
        "datastore": datastore.c.name,
        "datastore_version": version.c.name,
        "datastore_version_number": version.c.number,
        "manager": version.c.manager,
        "volume_used": agent.c.volume_used,
        "volume_total": agent.c.volume_total,
        "engine_error": agent.c.error,
        "reported_at": agent.c.reported_at,
        "engine_state": agent.c.engine_state,
        "operation_id": operation.c.id,
        "workflow": operation.c.workflow,
        "operation_state": operation.c.state,
        "error": operation.c.error,
        "ended_at": operation.c.updated_at,
        "replica_id": replica.c.id,
        "now": DatabaseNow(),
    }
    is_replica = and_(replica.c.replica_of == instance.c.id, replica.c.deleted_at.is_(None))
    return (
        select(*instance.c, *(column.label(name) for name, column in beside.items()))
        .select_from(page)
        .join(instance, instance.c.id == page.c.id)
        .join(version, version.c.id == instance.c.datastore_version_id)
        .join(datastore, datastore.c.id == version.c.datastore_id)
        .outerjoin(operation, operation.c.id == instance.c.last_operation_id)
        .outerjoin(agent, agent.c.instance_id == instance.c.id)
        .outerjoin(replica, is_replica)
        .order_by(instance.c.created_at.desc(), instance.c.id.desc())
    )


def views_of(inst: Installation, rows: Iterable[Row[Any]]) -> list[InstanceView]:
    """The views of rows of `with_details`."""
    expiry = expiry_of(inst.settings)
    grouped = groupby(rows, key=lambda row: row.id)
    return [_view_of(list(of_one), inst.clock, expiry) for _, of_one in grouped]


def view_of(inst: Installation, session: Reader, instance_id: str) -> InstanceView:
    """The view of one instance that is known to exist."""
    return views_of(inst, session.execute(_by_id(), {"id": instance_id}))[0]


def expiry_of(settings: Settings) -> timedelta:
    """How long an agent may be silent."""
    return timedelta(seconds=settings.timing.agent_heartbeat_expiry)


@cache
def _by_id() -> Select[Any]:
    return with_details(instances_where(INSTANCES.id == bindparam("id")))


def _view_of(rows: Sequence[Row[Any]], clock: Clock, expiry: timedelta) -> InstanceView:
    row = rows[0]
    silent = is_silent(row.reported_at, clock.given(row.now), expiry)
    full = is_full(row.volume_used, row.volume_total)
    status, operating_status = status_of(
        has_server=row.server_id is not None,
        workflow_status=STATUSES.get(row.workflow) if row.workflow else None,
        operation_state=row.operation_state,
        engine_state=effective_state_of(
            row.engine_state, hindered=full or row.engine_error is not None
        ),
        silent=silent,
        deleted=row.deleted_at is not None,
    )
    return InstanceView(
        row=cast(Instance, row),
        datastore=row.datastore,
        datastore_version=row.datastore_version,
        datastore_version_number=row.datastore_version_number,
        manager=row.manager,
        volume_used=row.volume_used,
        volume_total=row.volume_total,
        reported_at=row.reported_at,
        operation_id=row.operation_id,
        status=status,
        operating_status=operating_status,
        fault=_fault_of(row, operating_status, silent=silent, full=full),
        replicas=[each.replica_id for each in rows if each.replica_id is not None],
    )


def _fault_of(row: Row[Any], operating_status: str, *, silent: bool, full: bool) -> Fault | None:
    """Why the instance is not healthy now, or why its last operation failed."""
    if operating_status not in {"", "HEALTHY"}:
        reason = reason_of(
            engine_state=row.engine_state,
            error=row.engine_error,
            full=full,
            silent=silent,
            since=row.reported_at,
        )
        # A failed operation is the reason why an agent is silent, not the other way round.
        if reason is not None and not (silent and row.operation_state in FAULTY):
            return Fault(reason, row.reported_at, f"the engine is {row.engine_state}")
    if row.operation_state not in FAULTY:
        return None
    details = f"{row.workflow} ended {row.operation_state}; operation {row.operation_id}"
    return Fault(row.error, row.ended_at, details)
