"""A piece of work for the agent of one instance, dispatched once and answered once."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from trove.db import Base, Id, JsonObject, Prose, Word, new_id, utcnow
from trove.engine import Operation
from trove.notifications import notify

FORGOTTEN = ""
"""In place of sealed arguments that are not needed any more, or where there are none."""
DISPATCHED = "tasks dispatched"
"""Topic of the notification that there may be a task to hand out."""


class Task(Base):
    """Pending until `answered`; then it has a result, or an error."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("tasks_pending", "instance_id", "answered", "created_at"),
        Index("tasks_open", "answered", "created_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(String(36), ForeignKey("instances.id"))
    operation_id: Mapped[str | None] = mapped_column(String(36))
    """The operation that the answer wakes."""
    operation_state: Mapped[str | None] = mapped_column(String(16))
    """Its state at that time: what a step dispatched is withdrawn once the operation turns back,
    what an undo dispatched is not."""
    kind: Mapped[Word]
    args: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    """Those that are no secret."""
    sealed_args: Mapped[Prose]
    """`Vault.seal` of the arguments that may hold passwords; forgotten with the answer."""
    request_id: Mapped[str | None] = mapped_column(String(64))
    answered: Mapped[bool] = mapped_column(Boolean, default=False)
    result: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[Prose | None]
    error_kind: Mapped[str | None] = mapped_column(String(32))
    """A `protocol.ErrorKind` word."""
    progress: Mapped[float] = mapped_column(default=0.0)
    note: Mapped[Prose | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime | None]
    """When it is too late to begin, by the database's clock; None while its operation waits."""
    handed_at: Mapped[datetime | None]
    """When a task that expires was first handed to its agent: until then it cannot have begun."""
    abandoned_at: Mapped[datetime | None]
    """When its caller was answered without knowing what became of it; that becomes an event."""
    answered_at: Mapped[datetime | None]


def task_id_of(operation_id: str, instance_id: str, key: str) -> str:
    """A step that runs again finds the task that it dispatched before."""
    return str(uuid.uuid5(uuid.UUID(operation_id), f"{instance_id}:{key}"))


def dispatch(  # noqa: PLR0913 - one keyword per column that a caller sets
    session: Session,
    instance_id: str,
    kind: str,
    args: JsonObject | None = None,
    *,
    sealed: str = FORGOTTEN,
    operation: Operation | None = None,
    key: str | None = None,
    request_id: str | None = None,
    expires_at: datetime | None = None,
) -> Task:
    """Dispatch a task to the agent of this instance, in the caller's transaction.

    `args` are stored as they are, `sealed` are further ones that the vault sealed. With an
    operation, a second call (with the same `key`, by default the kind) finds the task of the first
    one; without one, each call dispatches another task.
    """
    task_id = task_id_of(operation.id, instance_id, key or kind) if operation else new_id()
    task = session.get(Task, task_id) if operation else None
    if task is None:
        task = Task(
            id=task_id,
            instance_id=instance_id,
            operation_id=operation.id if operation else None,
            operation_state=operation.state if operation else None,
            kind=kind,
            args=args,
            sealed_args=sealed,
            request_id=request_id,
            expires_at=expires_at,
            answered=False,
            progress=0.0,
        )
        session.add(task)
        notify(session, DISPATCHED)
    return task


def find_task(session: Session, task_id: str) -> Task | None:
    """The task with this id, if there is one."""
    return session.get(Task, task_id)
