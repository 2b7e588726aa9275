"""How much memory all instances have together, on an infrastructure that has only so much.

Law: it is added up from the rows themselves, in a transaction that no other one of this kind runs
beside; so nothing is ever counted twice or left behind, and what was there before counts too.
"""

from __future__ import annotations

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session

from trove.db import insert_if_absent
from trove.engine import Operation
from trove.engine.claims import Claim
from trove.errors import OverQuota
from trove.models.instance import Instance
from trove.models.quota import QuotaUsage

EVERY_PROJECT = "*"
RESOURCE = "memory"
RESIZE = "instance.resize_flavor"


def must_fit(session: Session, more: int, limit: int | None) -> None:
    """Whether what the caller has just written, `more` MiB, is within the limit.

    Raises OverQuota. Until the caller's transaction ends, others wait here: it comes last of all
    that locks rows.
    """
    if limit is None or more <= 0:
        return
    session.flush()
    _lock(session)
    left = limit - (in_use(session) - more)
    if more > left:
        raise OverQuota(
            f"There is not enough memory for this: {more} MB more are needed, and of {limit} MB for"
            f" all instances {max(0, left)} MB are left. Choose a smaller flavor, or delete an"
            " instance that is not needed."
        )


def in_use(session: Session) -> int:
    """MiB of all instances that have a server, or are to have one, running or not."""
    claimed = exists().where(Claim.resource == Instance.id, Claim.released.is_(False))
    total = select(func.coalesce(func.sum(Instance.memory), 0)).where(
        # One whose creation has failed has nothing any more.
        Instance.deleted_at.is_(None),
        or_(Instance.server_id.is_not(None), claimed),
    )
    return int(session.execute(total).scalar_one()) + _growing(session)


def _growing(session: Session) -> int:
    """What resizes under way take besides: until they end, both sizes may be needed."""
    rows = session.execute(
        select(Operation.args, Instance.memory)
        .join(Instance, Instance.id == Operation.subject_id)
        .where(Operation.due_at.is_not(None), Operation.workflow == RESIZE)
    )
    return sum(max(0, args.get("memory", 0) - memory) for args, memory in rows)


def _lock(session: Session) -> None:
    own = {"project_id": EVERY_PROJECT, "resource": RESOURCE, "in_use": 0}
    insert_if_absent(session, QuotaUsage, own)
    session.execute(
        update(QuotaUsage)
        .where(QuotaUsage.project_id == EVERY_PROJECT, QuotaUsage.resource == RESOURCE)
        .values(in_use=QuotaUsage.in_use)
        .execution_options(synchronize_session=False)
    )
