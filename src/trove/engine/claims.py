"""Claims: which operation may use which resource, alone or together with others.

Law: a claim is acquired by one guarded UPDATE of the resource's row, several in the order of
their resources, and is released in the transaction that ends its operation. So two operations
never hold claims that exclude each other, and no two wait for each other.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Boolean, Index, Integer, String, Update, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from trove.db import Base, insert_if_absent
from trove.errors import ResourceBusy


class Mode(enum.StrEnum):
    """Exclusive claims exclude all others; shared ones exclude exclusive ones."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


@dataclass(frozen=True)
class ClaimRequest:
    """One resource, by its id, and how it is to be claimed."""

    resource: str
    mode: Mode = Mode.EXCLUSIVE


class ClaimedResource(Base):
    """The state of one resource. The row stays when it is free, so that it can be locked."""

    __tablename__ = "claimed_resources"

    resource: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(36))
    """The operation that has the exclusive claim."""
    shared: Mapped[int] = mapped_column(Integer, default=0)
    """How many operations have a shared claim."""


class Claim(Base):
    """One claim of one operation; kept after its release, for as long as the operation is."""

    __tablename__ = "claims"
    __table_args__ = (Index("claims_of_resource", "resource", "released"),)

    operation_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    resource: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str] = mapped_column(String(16))
    released: Mapped[bool] = mapped_column(Boolean, default=False)


def acquire(session: Session, operation_id: str, wanted: Iterable[ClaimRequest]) -> None:
    """Claim all of these, in the caller's transaction; raises ResourceBusy.

    The caller rolls back then, which releases those that were acquired before.
    """
    # In one order for all operations: two that overlap cannot each hold what the other wants.
    for request in in_order(wanted):
        if not _take(session, operation_id, request):
            free = {"resource": request.resource, "holder": None, "shared": 0}
            insert_if_absent(session, ClaimedResource, free)
            if not _take(session, operation_id, request):
                raise ResourceBusy(f"{request.resource} is in use by another operation.")
        session.add(Claim(operation_id=operation_id, resource=request.resource, mode=request.mode))


def release(session: Session, operation_ids: Collection[str]) -> None:
    """Give back all that these operations have claimed, in the transaction that ends them."""
    session.flush()  # claims that were acquired in this transaction
    held = select(Claim).where(Claim.operation_id.in_(operation_ids), Claim.released.is_(False))
    claims = session.scalars(held.order_by(Claim.resource, Claim.operation_id)).all()
    for claim in claims:
        _execute(session, _give_back(claim))
        claim.released = True
    session.flush()


def in_order(wanted: Iterable[ClaimRequest]) -> Sequence[ClaimRequest]:
    """Each resource once, in the order in which claims are acquired; exclusive prevails."""
    modes: dict[str, Mode] = {}
    for request in wanted:  # once: it may be an iterator
        if modes.get(request.resource) is not Mode.EXCLUSIVE:
            modes[request.resource] = request.mode
    return [ClaimRequest(resource, mode) for resource, mode in sorted(modes.items())]


def _take(session: Session, operation_id: str, request: ClaimRequest) -> bool:
    """Waits while another transaction changes the row; the condition is then evaluated again."""
    free = update(ClaimedResource).where(
        ClaimedResource.resource == request.resource, ClaimedResource.holder.is_(None)
    )
    if request.mode is Mode.SHARED:
        return _execute(session, free.values(shared=ClaimedResource.shared + 1))
    return _execute(session, free.where(ClaimedResource.shared == 0).values(holder=operation_id))


def _give_back(claim: Claim) -> Update:
    row = update(ClaimedResource).where(ClaimedResource.resource == claim.resource)
    if claim.mode == Mode.SHARED:
        return row.values(shared=ClaimedResource.shared - 1)
    return row.where(ClaimedResource.holder == claim.operation_id).values(holder=None)


def _execute(session: Session, statement: Update) -> bool:
    quiet = statement.execution_options(synchronize_session=False)
    return bool(session.execute(quiet).rowcount)  # type: ignore[attr-defined]
