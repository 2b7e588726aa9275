"""What every operation leaves in order when it ends, whatever its steps came to.

Law: here alone is quota given back. It is done in the transaction that ends the operation, after
the guarded UPDATE that ended it: so it is done once, and no row is locked in another order.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from trove.engine import Operation, State
from trove.models.instance import Instance
from trove.models.quota import give_back

RESERVED = "reserved"
"""The argument that says what was taken for the operation: all for nothing unless it succeeds."""
FREED = "freed"
"""The argument that says what the operation leaves unused once it has succeeded."""


def conclude(session: Session, operation: Operation, state: str) -> None:
    """Give back what the project does not use any more, now that the operation ended so."""
    unused = operation.args.get(FREED if state == State.SUCCEEDED else RESERVED)
    if unused:
        give_back(session, operation.project_id or "", unused)
    if operation.workflow == "instance.create" and state in {State.FAILED, State.CANCELLED}:
        # Its undoing may have been given up. The rest is found by its name when it is deleted, and
        # until then it is no server that anybody could use, or that the watch should bring back.
        session.get_one(Instance, operation.subject_id).server_id = None


def free_at_the_end(operation: Operation, unused: dict[str, int]) -> None:
    """Let a step say what the operation, once it has succeeded, does not use any more."""
    # Another dictionary, for the ORM does not see what changes within the one that it has.
    operation.args = operation.args | {FREED: unused}
