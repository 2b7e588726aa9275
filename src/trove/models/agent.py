"""What is known of the agent of one instance: its credential, and its last report."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from trove.db import Base, Clock, JsonObject, Prose
from trove.vault import Vault


class Agent(Base):
    """One row for each instance that has, or is to have, an agent.

    Tokens and credentials are stored as SHA-256 hex digests: they are random and long, so a slow
    hash would add nothing.
    """

    __tablename__ = "agents"

    instance_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("instances.id"), primary_key=True
    )
    enrolment_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Of the one-time token; None once it was used."""
    enrolment_expires_at: Mapped[datetime | None]
    credential_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    protocol: Mapped[int | None]
    version: Mapped[str | None] = mapped_column(String(64))
    engine_state: Mapped[str | None] = mapped_column(String(32))
    """A `protocol.EngineState` word."""
    engine_version: Mapped[str | None] = mapped_column(String(64))
    volume_used: Mapped[float | None]
    """GiB."""
    volume_total: Mapped[float | None]
    """GiB that its file system can hold; None where files are counted."""
    error: Mapped[Prose | None]
    """Why the engine does not run."""
    accounts: Mapped[JsonObject] = mapped_column(JSON, default=dict)
    """The last `protocol.Accounts` that the agent reported."""
    details: Mapped[JsonObject] = mapped_column(JSON, default=dict)
    certificate: Mapped[str | None] = mapped_column(Text)
    """PEM of the one that was signed last; None for agents of releases that did not keep it."""
    reported_at: Mapped[datetime | None]
    """When the conductor last heard of the agent, by the database's clock."""


def digest_of(secret: str) -> str:
    """What is stored of a token or credential."""
    return hashlib.sha256(secret.encode()).hexdigest()


def enrolment_token_of(vault: Vault, instance_id: str) -> str:
    """The one-time token of an instance's agent; always the same, so that a step may repeat."""
    return vault.derive(f"enrolment:{instance_id}")


def invite(
    session: Session, vault: Vault, instance_id: str, *, clock: Clock, seconds: float
) -> None:
    """Let the agent of this instance enrol, once, within this time."""
    agent = session.get(Agent, instance_id)
    if agent is None:
        agent = Agent(instance_id=instance_id)
        session.add(agent)
    agent.enrolment_digest = digest_of(enrolment_token_of(vault, instance_id))
    agent.enrolment_expires_at = clock.now(session) + timedelta(seconds=seconds)
