"""What every operation leaves in order when it ends, in whichever state.

Law: quota is given back here and nowhere else, in the transaction that ends the operation, after
the guarded UPDATE that ended it: so it is done once, and rows are locked in the usual order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.orm import Session

from trove.engine import Operation, State, StepResult, Workflow
from trove.models.quota import give_back
from trove.workflows.args import Reservation


class Unused(StepResult, frozen=True):
    """Returned by a step: what the project no longer uses once the operation has succeeded."""

    unused: dict[str, int] = {}
    """By resource of the quota."""


def conclude(
    session: Session, operation: Operation, workflow: Workflow[Any] | None, state: State
) -> None:
    """Give back what the project does not use any more, and forget the secrets."""
    operation.sealed = None
    unused = _unused_by(operation, state)
    if unused:
        give_back(session, operation.project_id or "", unused)
    if workflow is not None:
        workflow.on_end(session, operation, state)


def _unused_by(operation: Operation, state: State) -> dict[str, int]:
    if state != State.SUCCEEDED:
        return msgspec.convert(operation.args, Reservation).reserved
    results = (msgspec.convert(result, Unused) for result in (operation.results or {}).values())
    return {resource: n for result in results for resource, n in result.unused.items()}
