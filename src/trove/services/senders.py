"""Whose a credential is: looked up with every call of every agent, for many calls at once.

Law: an agent is known by its credential alone, and the credential belongs to one instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, exists, or_, select

from trove.db import Reader
from trove.engine import Claim, Operation
from trove.errors import NotFound, TroveError, Unauthenticated
from trove.models import Agent, Instance, Task
from trove.models.agent import digest_of
from trove.workflows import REMOVING

AGENTS, INSTANCES = Agent.__table__.c, Instance.__table__.c
"""Columns of the tables, not of the classes: the ORM would cost more than the database."""

Refusal = Unauthenticated | NotFound


class Sender(NamedTuple):
    """The agent of one instance, and what is to be known before its call is answered."""

    instance_id: str
    engine_state: str | None
    """What it reported last."""
    has_tasks: bool
    """Whether there may be something to do for it."""


def identify(reader: Reader, credential: str) -> str:
    """The id of the instance that this credential belongs to.

    Raises Unauthenticated, or NotFound when the instance is being, or has been deleted.
    """
    [sender] = senders_of(reader, [credential])
    if isinstance(sender, TroveError):
        raise sender
    return sender.instance_id


def senders_of(reader: Reader, credentials: Sequence[str]) -> Sequence[Sender | Refusal]:
    """For each credential whose it is, or the error that `identify` raises: in one statement."""
    digests = [digest_of(credential) for credential in credentials]
    rows = reader.execute(_query(), {"digests": sorted(set(digests))})
    found = {row.credential_digest: row for row in rows}
    return [_sender_from(found.get(digest)) for digest in digests]


def _sender_from(row: Row[Any] | None) -> Sender | Refusal:
    if row is None:
        return Unauthenticated("This credential is not known.")
    if row.is_gone:
        return NotFound(f"Instance {row.instance_id} is deleted: stop for good.")
    return Sender(row.instance_id, row.engine_state, bool(row.has_tasks))


@cache
def _query() -> Select[Any]:
    """Built once."""
    # Not a status: that is derived.
    removal = exists().where(
        Claim.resource == INSTANCES.id,
        Claim.released.is_(False),
        Operation.id == Claim.operation_id,
        Operation.workflow.in_(REMOVING),
    )
    open_task = exists().where(Task.instance_id == AGENTS.instance_id, Task.answered.is_(False))
    return (
        select(
            AGENTS.credential_digest,
            AGENTS.instance_id,
            AGENTS.engine_state,
            or_(INSTANCES.deleted_at.is_not(None), removal).label("is_gone"),
            open_task.label("has_tasks"),
        )
        .join(Instance.__table__, INSTANCES.id == AGENTS.instance_id)
        .where(AGENTS.credential_digest.in_(bindparam("digests", expanding=True)))
    )
