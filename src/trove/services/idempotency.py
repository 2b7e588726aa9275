"""A request that bears an `Idempotency-Key` is done once; its answer is kept for who repeats it.

Law: only what succeeded is kept. A request that failed left nothing behind, so its key is free
again; one that was cut off by a crash frees its key after a minute. What it may have made bears an
id that was written down before, by which the next one finds it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trove.db import new_id
from trove.errors import Conflict, Invalid
from trove.models.idempotency import IdempotentRequest
from trove.services.installation import Installation

LONGEST_KEY = 255
CUT_OFF = timedelta(seconds=60)
"""A first request that is not answered by then never will be: no request takes as long."""
KEPT = timedelta(days=1)


class KeyReused(Conflict):
    """This Idempotency-Key was used for another request; take a new one."""


@dataclass(frozen=True)
class Kept:
    """What the first request was answered."""

    status: int
    body: str


@dataclass(frozen=True)
class Attempt:
    """The request is to be served now."""

    made_id: str
    """The id of what it creates: the same in each attempt, so that it is found again."""


@dataclass(frozen=True)
class OnceOnly:
    """One request with its key."""

    project_id: str
    key: str
    digest: str


def once_only(project_id: str, key: str, request: bytes) -> OnceOnly:
    """`request` is what makes two requests the same: the caller and all of the content.

    Raises Invalid for a key that cannot be stored.
    """
    if not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise Invalid(f"1 to {LONGEST_KEY} printable characters", field="Idempotency-Key")
    return OnceOnly(project_id, key, hashlib.sha256(request).hexdigest())


def claim(inst: Installation, request: OnceOnly) -> Kept | Attempt:
    """An attempt for the first request, the kept answer for those that repeat it.

    Raises Conflict while the first request is being served, KeyReused for another request.
    """
    try:
        with inst.database.begin() as session:
            _forget_the_old(inst, session, request.project_id)
            row = _row_of(inst, session, request)
            session.add(row)
            return _attempt_of(row)
    except IntegrityError:
        return _claimed_before(inst, request)


def keep(inst: Installation, request: OnceOnly, kept: Kept) -> None:
    """Keep what was answered; it may hold a password, so it is sealed."""
    with inst.database.begin() as session:
        row = session.get(IdempotentRequest, (request.project_id, request.key))
        if row is not None:
            row.status, row.body = kept.status, inst.vault.seal(kept.body)


def forget(inst: Installation, request: OnceOnly) -> None:
    """The request failed: let it be tried again."""
    with inst.database.begin() as session:
        session.execute(
            delete(IdempotentRequest).where(
                IdempotentRequest.project_id == request.project_id,
                IdempotentRequest.key == request.key,
                IdempotentRequest.status.is_(None),
            )
        )


def _row_of(inst: Installation, session: Session, request: OnceOnly) -> IdempotentRequest:
    return IdempotentRequest(
        project_id=request.project_id,
        key=request.key,
        digest=request.digest,
        body=new_id(),
        created_at=inst.clock.now(session),
    )


def _attempt_of(row: IdempotentRequest) -> Attempt:
    return Attempt(row.body or "")


def _forget_the_old(inst: Installation, session: Session, project_id: str) -> None:
    session.execute(
        delete(IdempotentRequest).where(
            IdempotentRequest.project_id == project_id,
            IdempotentRequest.created_at < inst.clock.now(session) - KEPT,
        )
    )


def _claimed_before(inst: Installation, request: OnceOnly) -> Kept | Attempt:
    with inst.database.begin() as session:
        row = session.get(IdempotentRequest, (request.project_id, request.key))
        if row is not None and row.digest != request.digest:
            raise KeyReused
        if row is not None and row.status is not None:
            return Kept(row.status, inst.vault.open(row.body or ""))
        if row is None or not _take_over(inst, session, request):
            raise Conflict("The first request with this Idempotency-Key is still being served.")
        return _attempt_of(row)


def _take_over(inst: Installation, session: Session, request: OnceOnly) -> bool:
    """Whether the first request was cut off, and this one may take its place."""
    now = inst.clock.now(session)
    taken = session.execute(
        update(IdempotentRequest)
        .where(
            IdempotentRequest.project_id == request.project_id,
            IdempotentRequest.key == request.key,
            IdempotentRequest.status.is_(None),
            IdempotentRequest.created_at < now - CUT_OFF,
        )
        .values(created_at=now)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]
