"""How much a project may have, and has.

Law: use is taken and given back by one guarded UPDATE, in the transaction of the change, so that
no two requests pass the last free place.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import String, Update, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from trove.db import Base, insert_if_absent
from trove.errors import OverQuota

UNLIMITED = -1
RESOURCES = ("instances", "ram", "backups", "volumes")


class Quota(Base):
    """A limit that an administrator has set for one project, in place of the default."""

    __tablename__ = "quotas"

    project_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    resource: Mapped[str] = mapped_column(String(32), primary_key=True)
    limit: Mapped[int]


class QuotaUsage(Base):
    """What a project uses of one resource."""

    __tablename__ = "quota_usages"

    project_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    resource: Mapped[str] = mapped_column(String(32), primary_key=True)
    in_use: Mapped[int] = mapped_column(default=0)


def limits_of(session: Session, project_id: str, defaults: Mapping[str, int]) -> dict[str, int]:
    """The limit of every resource; -1 is none."""
    own = select(Quota.resource, Quota.limit).where(Quota.project_id == project_id)
    return dict(defaults) | {row.resource: row.limit for row in session.execute(own)}


def usage_of(session: Session, project_id: str) -> dict[str, int]:
    """What is in use of every resource."""
    used = select(QuotaUsage.resource, QuotaUsage.in_use).where(QuotaUsage.project_id == project_id)
    found = {row.resource: row.in_use for row in session.execute(used)}
    return {resource: found.get(resource, 0) for resource in RESOURCES}


def take(
    session: Session, project_id: str, deltas: Mapping[str, int], defaults: Mapping[str, int]
) -> None:
    """Count more use; raises OverQuota, naming what there is too little of, and counts nothing.

    The caller's transaction must end with the raise: what was counted before is rolled back.
    """
    limits = limits_of(session, project_id, defaults)
    for resource, delta in sorted(deltas.items()):
        if delta:
            _take_one(session, project_id, resource, delta, limits[resource])


def give_back(session: Session, project_id: str, deltas: Mapping[str, int]) -> None:
    """Count less use."""
    for resource, delta in sorted(deltas.items()):
        if delta:
            session.execute(
                update(QuotaUsage)
                .where(QuotaUsage.project_id == project_id, QuotaUsage.resource == resource)
                .values(in_use=QuotaUsage.in_use - delta)
            )


def _take_one(session: Session, project_id: str, resource: str, delta: int, limit: int) -> None:
    grow = update(QuotaUsage).where(
        QuotaUsage.project_id == project_id, QuotaUsage.resource == resource
    )
    if limit != UNLIMITED:
        grow = grow.where(QuotaUsage.in_use + delta <= limit)
    grow = grow.values(in_use=QuotaUsage.in_use + delta)
    if _finds_a_row(session, grow):
        return
    # Once in the life of a project, or the limit is reached.
    new = {"project_id": project_id, "resource": resource, "in_use": 0}
    insert_if_absent(session, QuotaUsage, new)
    if not _finds_a_row(session, grow):
        used = usage_of(session, project_id)[resource]
        raise OverQuota(
            f"Quota exceeded for {resource}: {delta} requested, "
            f"{used} of {limit} in use. Delete something, or have an operator raise the quota."
        )


def _finds_a_row(session: Session, statement: Update) -> bool:
    quiet = statement.execution_options(synchronize_session=False)
    return bool(session.execute(quiet).rowcount)  # type: ignore[attr-defined]
