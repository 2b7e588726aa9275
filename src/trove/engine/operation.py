"""The durable row of one run of a workflow: what runs, on which subject, at which step."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import EPOCH, Base, Id, JsonObject, Prose, Word, new_id, utcnow


class State(enum.StrEnum):
    """The state of an operation; the first two are active."""

    RUNNING = "running"
    UNDOING = "undoing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


ACTIVE = (State.RUNNING, State.UNDOING)
ENDED = tuple(state for state in State if state not in ACTIVE)


class Operation(Base):
    """One run of one workflow on one subject.

    What it may use, its subject first, it has claimed (`claims.py`). `due_at` is NULL once there
    is nothing left to do.
    """

    __tablename__ = "operations"
    __table_args__ = (
        Index("operations_due", "due_at"),
        Index("operations_of_subject", "subject_id", "created_at"),
        Index("operations_of_project", "project_id", "created_at"),
        Index("operations_of_parent", "parent_id"),
        Index("operations_by_state", "project_id", "state", "created_at"),
        Index("operations_by_workflow", "project_id", "workflow", "created_at"),
        Index("operations_by_age", "created_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    workflow: Mapped[Word]
    subject_id: Mapped[Id]
    parent_id: Mapped[str | None] = mapped_column(String(36))
    """No foreign key: its check would lock the parent while a running step starts children."""
    project_id: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
    args: Mapped[JsonObject] = mapped_column(JSON, default=dict)
    """What it was started with; never changed."""
    sealed: Mapped[Prose | None]
    """Secret arguments, sealed by the caller; forgotten at the end."""
    results: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    """What steps have returned, by their names."""
    state: Mapped[str] = mapped_column(String(16), default=State.RUNNING)
    step: Mapped[Word]
    step_since: Mapped[datetime] = mapped_column(default=utcnow)
    attempt: Mapped[int] = mapped_column(default=0)
    progress: Mapped[int] = mapped_column(default=0)
    """Percent of the whole."""
    note: Mapped[Prose | None]
    """What is being done or waited for right now."""
    error: Mapped[Prose | None]
    cancelled: Mapped[bool] = mapped_column(default=False)
    turned_back_at: Mapped[str | None] = mapped_column(String(64))
    """The step that failed for good or at which it was cancelled: `step` walks back from it."""
    wakeups: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None] = mapped_column(default=utcnow)
    lease_until: Mapped[datetime] = mapped_column(default=EPOCH)
    lease_token: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE
