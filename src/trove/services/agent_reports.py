"""The current state that an agent sends, as it is stored.

Law: a guest may be taken over, so nothing of what it sends is stored at any length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, cast

import msgspec
from sqlalchemy import Table, Update, bindparam, or_, select, update
from sqlalchemy.orm import Session

from trove.db import Clock, DatabaseNow, JsonObject
from trove.models import Agent, Instance
from trove.models.event import record_event
from trove.protocol import Accounts, EngineState, Report, SyncRequest
from trove.services.senders import Sender

TABLE = cast(Table, Agent.__table__)
"""Not the class: the ORM would cost more than the database."""

LONGEST_TEXT = 4000
LONGEST_DETAILS = 16_384
"""Bytes of JSON; a guest that is taken over must not fill the metadata database."""
NOTEWORTHY = frozenset(set(EngineState) - {EngineState.NEW, EngineState.STARTING})
"""States of an engine whose beginning is an event."""


def keep_reports(
    session: Session, reports: Iterable[tuple[Sender, SyncRequest]], clock: Clock
) -> None:
    """Store what agents report, in this order for each: by far the most frequent write of all.

    Those whose engine is in the state that it was in are stored together.
    """
    by_agent: defaultdict[str, list[tuple[Sender, SyncRequest]]] = defaultdict(list)
    for report in reports:
        by_agent[report[0].instance_id].append(report)
    together: defaultdict[frozenset[str], list[JsonObject]] = defaultdict(list)
    # In one order, as all who lock several of these rows.
    alone = set[str]()
    for instance_id, [(sender, request), *later] in sorted(by_agent.items()):
        values = _values_of(request, clock)
        if later or sender.engine_state not in {None, values["engine_state"]}:
            alone.add(instance_id)
        else:
            together[frozenset(values)].append(values | {"of": instance_id})
    for columns, rows in together.items():
        # Fewer are changed when another conductor has stored another state meanwhile.
        if _executed(session, _update(columns, is_steady=True), rows) < len(rows):
            alone.update(row["of"] for row in rows)
    for instance_id in sorted(alone):
        for _, request in by_agent[instance_id]:
            keep_report(session, instance_id, request, clock)


def keep_report(session: Session, instance_id: str, request: SyncRequest, clock: Clock) -> None:
    """One UPDATE unless the engine's state changes."""
    values = _values_of(request, clock) | {"of": instance_id}
    columns = frozenset(values) - {"of"}
    if not _executed(session, _update(columns, is_steady=True), values):
        _note_change(session, instance_id, request.report)
        _executed(session, _update(columns, is_steady=False), values)


def _note_change(session: Session, instance_id: str, report: Report) -> None:
    """An event when an engine that was known to be in one state is in another.

    Of two calls that report it at the same time, one changes the row.
    """
    state = cut(report.engine, 32)
    if state not in NOTEWORTHY:
        return
    was = session.scalar(select(Agent.engine_state).where(Agent.instance_id == instance_id))
    changed = (
        update(Agent)
        .where(Agent.instance_id == instance_id, Agent.engine_state == was)
        .values(engine_state=state)
        .execution_options(synchronize_session=False)
    )
    if was in {state, EngineState.NEW} or not is_changed(session, changed):
        return
    error = {"error": cut(report.error, LONGEST_TEXT)} if report.error else {}
    record_event(
        session,
        f"instance.engine.{state}",
        project_id=session.get_one(Instance, instance_id).project_id,
        subject_id=instance_id,
        payload={"before": was} | error,
    )


def _values_of(request: SyncRequest, clock: Clock) -> JsonObject:
    """By column; the time too, unless it is the database's."""
    report, stamp = request.report, clock.stamp()
    values: JsonObject = {
        "protocol": request.protocol,
        "version": cut(request.agent_version, 64),
        "engine_state": cut(report.engine, 32),
        "engine_version": cut(report.engine_version, 64),
        "volume_used": report.volume_used,
        "volume_total": report.volume_total,
        "error": cut(report.error, LONGEST_TEXT),
        "details": _details_of(report),
    }
    if report.accounts is not None:
        values["accounts"] = _without_passwords(report.accounts)
    return values | ({"reported_at": stamp} if isinstance(stamp, datetime) else {})


@cache
def _update(columns: frozenset[str], *, is_steady: bool) -> Update:
    """Of these columns of one agent, if its engine's state stays the same or in any case.

    Built once, as everything that each call of each agent executes.
    """
    values: JsonObject = {"reported_at": DatabaseNow()}
    values |= {name: bindparam(name) for name in columns}
    own = update(TABLE).where(TABLE.c.instance_id == bindparam("of")).values(values)
    state = TABLE.c.engine_state
    is_same = or_(state.is_(None), state == bindparam("engine_state"))
    return own.where(is_same) if is_steady else own


def _executed(session: Session, statement: Update, values: JsonObject | list[JsonObject]) -> int:
    """How many rows are changed."""
    return session.connection().execute(statement, values).rowcount


def _details_of(report: Report) -> JsonObject:
    known = {"volume_total": report.volume_total, "error": cut(report.error, LONGEST_TEXT)}
    details = report.details if len(msgspec.json.encode(report.details)) <= LONGEST_DETAILS else {}
    return details | {key: value for key, value in known.items() if value is not None}


def _without_passwords(accounts: Accounts) -> Any:
    for user in accounts.users:
        user.password = None
    return msgspec.to_builtins(accounts)


def is_changed(session: Session, statement: Any) -> bool:
    """Whether it finds a row to change."""
    return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]


def cut(text: str | None, longest: int) -> str | None:
    return text[:longest] if text is not None else None
