"""A line of history, written in the transaction of the change that it records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from trove.db import Base, JsonObject, Word, utcnow


class Event(Base):
    """What happened to which subject, on whose behalf."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_of_project", "project_id", "id"),
        Index("events_of_subject", "subject_id", "id"),
        Index("events_of_operation", "operation_id", "id"),
        Index("events_of_project_by_kind", "project_id", "kind", "id"),
        Index("events_by_kind", "kind", "id"),
        Index("events_by_age", "created_at"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[Word]
    """Dotted, past or present: `instance.create.start`, `instance.create.end`, `user.create`."""
    project_id: Mapped[str | None] = mapped_column(String(64))
    subject_id: Mapped[str | None] = mapped_column(String(36))
    operation_id: Mapped[str | None] = mapped_column(String(36))
    user_id: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
    payload: Mapped[JsonObject] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


def record_event(session: Session, kind: str, **fields: Any) -> Event:
    """Write an event in the caller's transaction."""
    event = Event(kind=kind, **fields)
    session.add(event)
    return event
