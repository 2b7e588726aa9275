"""How every operation on a subject starts: claimed, then recorded as the subject's newest."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.orm import Session

from trove.db import Clock
from trove.engine import Operation, Workflow, start
from trove.models.instance import Instance


def start_on(  # noqa: PLR0913 - what an operation is started with
    session: Session,
    workflow: Workflow[Any],
    subject: Instance,
    *,
    args: msgspec.Struct | None = None,
    sealed: str | None = None,
    request_id: str | None = None,
    clock: Clock,
) -> Operation:
    """Start a workflow on this subject, in the caller's transaction.

    With its claims the operation has the subject to itself, so the row is read again: the changes
    of the operation before it are visible now, and no other follows. Raises ResourceBusy.
    """
    operation = start(
        session,
        workflow,
        subject.id,
        args=args,
        sealed=sealed,
        project_id=subject.project_id,
        request_id=request_id,
        clock=clock,
    )
    session.refresh(subject)
    assert workflow.subject is not None, f"{workflow.name} has no kind of subject"
    workflow.subject.on_start(subject, operation)
    return operation
