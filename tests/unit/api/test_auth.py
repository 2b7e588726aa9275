"""Authenticators without Keystone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.support.identity import People, people_in
from trove.api.auth import (
    BuiltinAuthenticator,
    RememberingAuthenticator,
    create_authenticator,
    key_of,
)
from trove.db import Database
from trove.errors import Unauthenticated
from trove.services import identity
from trove.services.installation import Caller


@pytest.fixture
def people(sqlite_database: Database) -> People:
    return people_in(sqlite_database, admin_roles=("admin", "boss"), token_cache_seconds=0)


def test_the_builtin_identity_says_who_calls(people: People) -> None:
    authenticator = create_authenticator(people.installation)
    token = people.issue("alice", "blue").secret
    caller = authenticator.authenticate({"x-auth-token": token})
    assert caller == Caller(
        project_id=people.blue,
        user_id=people.alice,
        roles=frozenset({"admin"}),
        is_admin=True,
        user_name="alice",
    )
    assert not authenticator.authenticate({"x-auth-token": people.issue("bob").secret}).is_admin
    unscoped = authenticator.authenticate({"x-auth-token": people.issue("carol").secret})
    assert unscoped.project_id == ""


@pytest.mark.parametrize("headers", [{}, {"x-auth-token": ""}, {"x-auth-token": "unknown"}])
def test_an_anonymous_request_is_refused(people: People, headers: dict[str, str]) -> None:
    for authenticator in (
        create_authenticator(people.installation),
        BuiltinAuthenticator(people.installation),
    ):
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(headers)


@dataclass
class Counting:
    """Accepts every token that does not begin with `bad`, and records each request."""

    verified: list[str] = field(default_factory=list)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        token = headers["x-auth-token"]
        self.verified.append(token)
        if token.startswith("bad"):
            raise Unauthenticated
        return Caller(project_id="p", user_id=token)


@dataclass
class Stopwatch:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_valid_token_is_verified_once_in_a_while() -> None:
    inner, watch = Counting(), Stopwatch()
    authenticator = RememberingAuthenticator(inner, 3, monotonic=watch)
    headers = {"x-auth-token": "a"}
    for seconds in (100.0, 101.0, 102.9):
        watch.seconds = seconds
        assert authenticator.authenticate(headers).user_id == "a"
        assert authenticator.remembered(key_of(headers)) is not None
    assert inner.verified == ["a"]
    watch.seconds = 103.0
    assert authenticator.remembered(key_of(headers)) is None
    authenticator.authenticate(headers)
    assert inner.verified == ["a", "a"]


def test_a_refusal_is_not_remembered() -> None:
    inner = Counting()
    authenticator = RememberingAuthenticator(inner, 3)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            authenticator.authenticate({"x-auth-token": "bad"})
    assert inner.verified == ["bad", "bad"]


def test_a_service_token_makes_another_caller() -> None:
    inner = Counting()
    authenticator = RememberingAuthenticator(inner, 3)
    authenticator.authenticate({"x-auth-token": "a"})
    authenticator.authenticate({"x-auth-token": "a", "x-service-token": "s"})
    assert inner.verified == ["a", "a"]


def test_the_memory_has_a_bound_and_keeps_who_came_last() -> None:
    inner = Counting()
    authenticator = RememberingAuthenticator(inner, 3, capacity=2)
    for token in ("a", "b", "a", "c", "a", "b"):
        authenticator.authenticate({"x-auth-token": token})
    assert inner.verified == ["a", "b", "c", "b"]


def test_no_token_is_kept_readable() -> None:
    authenticator = RememberingAuthenticator(Counting(), 3)
    authenticator.authenticate({"x-auth-token": "a-secret-token"})
    assert not any(b"a-secret-token" in key for key in authenticator._callers)


def test_a_revoked_token_works_no_longer_than_it_is_remembered(people: People) -> None:
    watch = Stopwatch()
    builtin = BuiltinAuthenticator(people.installation)
    authenticator = RememberingAuthenticator(builtin, 3, monotonic=watch)
    headers = {"x-auth-token": people.issue("alice").secret}
    authenticator.authenticate(headers)
    identity.revoke(people.installation, headers["x-auth-token"])
    watch.seconds += 3
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(headers)
