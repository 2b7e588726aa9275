"""The current state that an agent sends, as it is stored.

Law: a guest may be taken over, so nothing of what it sends is stored at any length.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from trove.db import Clock, JsonObject
from trove.models import Agent, Instance
from trove.models.event import record_event
from trove.protocol import Accounts, EngineState, Report, SyncRequest

LONGEST_TEXT = 4000
LONGEST_DETAILS = 16_384
"""Bytes of JSON; a guest that is taken over must not fill the metadata database."""
NOTEWORTHY = frozenset(set(EngineState) - {EngineState.NEW, EngineState.STARTING})
"""States of an engine whose beginning is an event."""


def keep_report(session: Session, instance_id: str, request: SyncRequest, clock: Clock) -> None:
    """One UPDATE, for it is by far the most frequent write of all, unless the state changes."""
    report = request.report
    values: JsonObject = {
        "reported_at": clock.stamp(),
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
    own = (
        update(Agent)
        .where(Agent.instance_id == instance_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    is_same = or_(Agent.engine_state.is_(None), Agent.engine_state == values["engine_state"])
    if not is_changed(session, own.where(is_same)):
        _note_change(session, instance_id, report)
        session.execute(own)


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
