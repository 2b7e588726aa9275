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
from sqlalchemy import Row, Table, Update, bindparam, case, func, or_, select, update
from sqlalchemy.orm import Session

from trove.db import Clock, DatabaseNow, JsonObject
from trove.models import Agent, Instance
from trove.models.event import record_event
from trove.models.status import FULL, is_full
from trove.protocol import Accounts, EngineState, Report, SyncRequest
from trove.services.senders import Sender

TABLE = cast(Table, Agent.__table__)
"""Not the class: the ORM would cost more than the database."""

LONGEST_TEXT = 4000
LONGEST_DETAILS = 16_384
"""Bytes of JSON; a guest that is taken over must not fill the metadata database."""
NOTEWORTHY = frozenset(set(EngineState) - {EngineState.NEW, EngineState.STARTING})
"""States of an engine whose beginning is an event."""
FULL_VOLUME = "volume is full"
"""Of an error, where the file system's size does not say it."""
WAS_FULL = case(
    (
        or_(
            TABLE.c.volume_total - TABLE.c.volume_used < FULL,
            func.lower(TABLE.c.error).like(f"%{FULL_VOLUME}%"),
        ),
        1,
    ),
    else_=0,
)
"""Whether the volume was full by the last report; `_is_full` is the same of another one."""


def keep_reports(
    session: Session, reports: Iterable[tuple[Sender, SyncRequest]], clock: Clock
) -> None:
    """Store what agents report, in this order for each: by far the most frequent write of all.

    Those without an event are stored together.
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
            guards = {"of": instance_id, "full": int(_is_full(request.report))}
            together[frozenset(values)].append(values | guards)
    for columns, rows in together.items():
        # Fewer are changed when a volume is full, or has room again; and when another conductor has
        # stored another state meanwhile.
        if _executed(session, _update(columns, is_steady=True), rows) < len(rows):
            alone.update(row["of"] for row in rows)
    for instance_id in sorted(alone):
        for _, request in by_agent[instance_id]:
            keep_report(session, instance_id, request, clock)


def keep_report(session: Session, instance_id: str, request: SyncRequest, clock: Clock) -> None:
    """One UPDATE unless there is an event."""
    values = _values_of(request, clock) | {"of": instance_id}
    columns, report = frozenset(values) - {"of"}, request.report
    steady = values | {"full": int(_is_full(report))}
    if not _executed(session, _update(columns, is_steady=True), steady):
        _note_change(session, instance_id, report)
        _note_volume(session, instance_id, report)
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
    if was in {None, state, EngineState.NEW} or not is_changed(session, changed):
        return
    _record(session, instance_id, f"instance.engine.{state}", {"before": was}, report)


def _note_volume(session: Session, instance_id: str, report: Report) -> None:
    """An event when a volume becomes full, and when it has room again."""
    full = _is_full(report)
    columns = (Agent.volume_used, Agent.volume_total, Agent.error)
    before = session.execute(select(*columns).where(Agent.instance_id == instance_id)).first()
    # Compared here, for databases differ in how they compare text.
    if before is None or _is_full(before) == full:
        return
    changed = (
        update(Agent)
        .where(Agent.instance_id == instance_id, WAS_FULL.not_in([int(full)]))
        .values(
            volume_used=report.volume_used,
            volume_total=report.volume_total,
            error=cut(report.error, LONGEST_TEXT),
        )
        .execution_options(synchronize_session=False)
    )
    if is_changed(session, changed):
        kind = "instance.volume.full" if full else "instance.volume.relieved"
        figures = {"used": report.volume_used, "total": report.volume_total}
        _record(session, instance_id, kind, figures, report)


def _is_full(report: Report | Row[float | None, float | None, str | None]) -> bool:
    error = cut(report.error, LONGEST_TEXT) or ""
    return is_full(report.volume_used, report.volume_total) or FULL_VOLUME in error.lower()


def _record(
    session: Session, instance_id: str, kind: str, payload: JsonObject, report: Report
) -> None:
    error = {"error": cut(report.error, LONGEST_TEXT)} if report.error else {}
    record_event(
        session,
        kind,
        project_id=session.get_one(Instance, instance_id).project_id,
        subject_id=instance_id,
        payload=payload | error,
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
    """Of these columns of one agent: in any case, or if neither its engine's state changes, nor
    whether its volume is full.

    Built once, as everything that each call of each agent executes.
    """
    values: JsonObject = {"reported_at": DatabaseNow()}
    values |= {name: bindparam(name) for name in columns}
    own = update(TABLE).where(TABLE.c.instance_id == bindparam("of")).values(values)
    state = TABLE.c.engine_state
    is_same = or_(state.is_(None), state == bindparam("engine_state"))
    return own.where(is_same, bindparam("full") == WAS_FULL) if is_steady else own


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
