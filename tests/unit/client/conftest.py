"""A service to talk to, and a session with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.service import Service
from trove.client.cloud import Cloud
from trove.client.http import Http
from trove.client.session import Session
from trove.client.token_cache import TokenCache


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.close()


@pytest.fixture
def open_session(service: Service, tmp_path: Any) -> Iterator[Callable[..., Session]]:
    """Make a session; a password cloud unless fields of another are given.

    `pauses` has the `notice` and the `sleep` of its Http.
    """
    opened: list[Session] = []

    def open_one(
        cache: bool = False, retries: int = 2, pauses: Any = None, **fields: str
    ) -> Session:
        password = {"auth_url": service.url, "username": "alice", "password": "secret"}
        cloud = Cloud(**(fields or password | {"project_name": "demo"}))
        kept = TokenCache(tmp_path / "cache") if cache else None
        http = Http(cloud, retries=retries, **(pauses or {}))
        opened.append(Session(cloud, http, kept))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def session(service: Service, open_session: Callable[..., Session]) -> Session:
    """With a static token."""
    return open_session(endpoint=service.endpoint, token="a-token")
