"""Slows down the guessing of passwords, for one name from one address, known or not.

The first few failures are free; then each further one must wait twice as long. Counted in the
metadata database, so that more API processes do not mean more guesses.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from trove.errors import RateLimited
from trove.models import LoginFailure
from trove.services.installation import Installation

FREE_FAILURES = 5
LONGEST_WAIT = 60.0
FORGOTTEN_AFTER = timedelta(hours=1)


def subject_of(name: str, source: str) -> str:
    """What failures are counted by: a digest of name and address."""
    return hashlib.sha256(f"{name.casefold()}\0{source}".encode()).hexdigest()


def check(installation: Installation, subject: str) -> None:
    """Raises RateLimited while this subject has to wait."""
    with installation.database.session() as session:
        row = session.execute(
            select(LoginFailure.failures, LoginFailure.last_at).where(
                LoginFailure.subject == subject
            )
        ).first()
        if row is None:
            return
        left = _wait_after(row.failures) - _seconds(installation.clock.now(session) - row.last_at)
    if left > 0:
        raise RateLimited("Too many failed logins; wait before the next one.", retry_after=left)


def failed(installation: Installation, subject: str) -> None:
    """Count a failure, and forget those of long ago."""
    with installation.database.begin() as session:
        now = installation.clock.now(session)
        session.execute(delete(LoginFailure).where(LoginFailure.last_at < now - FORGOTTEN_AFTER))
    try:
        _count(installation, subject, now)
    except IntegrityError:
        _count(installation, subject, now)


def succeeded(installation: Installation, subject: str) -> None:
    """Forget this subject's failures."""
    with installation.database.session() as session:
        known = session.get(LoginFailure, subject)
    if known is None:
        return
    with installation.database.begin() as session:
        session.execute(delete(LoginFailure).where(LoginFailure.subject == subject))


def _count(installation: Installation, subject: str, now: datetime) -> None:
    """Raises IntegrityError when another process inserts the row first."""
    with installation.database.begin() as session:
        counted = session.execute(
            update(LoginFailure)
            .where(LoginFailure.subject == subject)
            .values(failures=LoginFailure.failures + 1, last_at=now)
        )
        if not counted.rowcount:  # type: ignore[attr-defined]
            session.execute(insert(LoginFailure).values(subject=subject, failures=1, last_at=now))


def _wait_after(failures: int) -> float:
    if failures < FREE_FAILURES:
        return 0.0
    return min(float(2 ** min(failures - FREE_FAILURES, 16)), LONGEST_WAIT)


def _seconds(span: timedelta) -> float:
    return span.total_seconds()
