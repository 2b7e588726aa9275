"""Records that have expired are removed, and others are kept."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from tests.workflows.scenarios import Round
from trove.models import Token, User
from trove.testing.world import Cloud


def add_tokens(cloud: Cloud, _: str) -> None:
    now = cloud.clock.time
    ends = {"expired": now - timedelta(days=1), "valid": now + timedelta(days=1)}
    with cloud.database.begin() as session:
        session.add(User(id="u", name="u", password_hash="x"))
        session.flush()
        for digest, end in ends.items():
            session.add(Token(digest=digest, user_id="u", body={}, expires_at=end))


def is_pruned(cloud: Cloud, _: str) -> bool:
    with cloud.database.session() as session:
        return list(session.scalars(select(Token.digest))) == ["valid"]


SCENARIOS = (Round("records.prune", add_tokens, is_pruned),)
