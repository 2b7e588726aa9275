"""What was answered to a request that bore an `Idempotency-Key`, so that it is done once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import Base, Prose, utcnow


class IdempotentRequest(Base):
    """`status` is NULL while the first request of the key is being served. `body` is then the id
    for what it makes, and afterwards its answer, sealed."""

    __tablename__ = "idempotent_requests"

    project_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of user, path and body: another request under the same key is an error."""
    status: Mapped[int | None]
    body: Mapped[Prose | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
