"""Callers that a real Keystone knows, through keystonemiddleware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio
import httpx
import pytest

from tests.keystone.conftest import Keystone
from tests.support.identity import people_in
from tests.support.waiting import until
from trove.api.app import create_app
from trove.api.keystone import KeystoneAuthenticator
from trove.db import Database
from trove.errors import Failed, Unauthenticated, Unavailable
from trove.services.installation import Caller
from trove.settings import Settings

pytestmark = pytest.mark.keystone


@pytest.fixture(scope="session")
def authenticator(settings: Settings) -> KeystoneAuthenticator:
    return KeystoneAuthenticator(settings)


@pytest.fixture(scope="session")
def authenticate(authenticator: KeystoneAuthenticator) -> Callable[..., Caller]:
    def authenticate(token: str, **headers: str) -> Caller:
        return authenticator.authenticate({"x-auth-token": token} | headers)

    return authenticate


def test_a_member_is_who_keystone_says(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    token = keystone.login("demo", "demo")
    seen = keystone.call("GET", "/auth/tokens", **{"X-Subject-Token": token})["token"]
    caller = authenticate(token)
    assert caller.project_id == seen["project"]["id"]
    assert caller.user_id == seen["user"]["id"]
    assert caller.user_name == "demo"
    assert "member" in caller.roles
    assert not caller.is_admin


def test_an_administrator_is_one_by_role(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    caller = authenticate(keystone.login("admin", "admin"))
    assert caller.is_admin
    assert "admin" in caller.roles


def test_which_roles_administrate_is_a_setting(keystone: Keystone, settings: Settings) -> None:
    wanted = replace(settings, api=replace(settings.api, admin_roles=("member",)))
    token = keystone.login("demo", "demo")
    assert KeystoneAuthenticator(wanted).authenticate({"x-auth-token": token}).is_admin


@pytest.mark.parametrize("token", ["", "nonsense", "gAAAAABnonsense", "a\tb", "ü" * 300])
def test_what_keystone_does_not_know_is_refused(
    token: str, authenticate: Callable[..., Caller]
) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(token)


def test_an_unscoped_token_has_no_project(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    caller = authenticate(keystone.login("demo"))
    assert caller.project_id == ""
    assert caller.roles == frozenset()


def test_headers_of_a_client_that_plays_keystone_are_passed_by(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    forged = {"x-roles": "admin", "x-project-id": "other", "x-identity-status": "Confirmed"}
    caller = authenticate(keystone.login("demo", "demo"), **forged)
    assert not caller.is_admin
    assert caller.project_id != "other"


def test_application_credentials_work(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    member = keystone.login("demo", "demo")
    caller = authenticate(keystone.credential(member, roles=[{"name": "member"}]))
    assert caller.project_id == authenticate(member).project_id
    assert caller.roles == {"member", "reader"}, "Keystone lets each member read"


def test_credentials_that_are_restricted_to_calls_are_refused(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    """What a rule forbids is not let through; that what it allows is not either is documented."""
    rules = [{"service": "database", "method": "GET", "path": "/**"}]
    with pytest.raises(Unauthenticated):
        authenticate(keystone.credential(keystone.login("demo", "demo"), access_rules=rules))


def test_a_service_token_beside_the_users(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    member, service = keystone.login("demo", "demo"), keystone.login("nova", "service")
    assert authenticate(member, **{"x-service-token": service}).user_name == "demo"
    with pytest.raises(Unauthenticated):
        authenticate(member, **{"x-service-token": member})


def test_a_revoked_token_is_refused_once_the_cache_forgets_it(
    keystone: Keystone, authenticate: Callable[..., Caller]
) -> None:
    token = keystone.login("demo", "demo")
    assert authenticate(token)
    keystone.call("DELETE", "/auth/tokens", **{"X-Subject-Token": token})

    def is_refused() -> bool:
        try:
            authenticate(token)
        except Unauthenticated:
            return True
        return False

    until(is_refused, "the revoked token is refused", interval=0.1)


def test_a_keystone_that_does_not_answer_is_not_a_refusal(settings: Settings) -> None:
    nowhere = dict(settings.keystone_authtoken) | {
        "auth_url": "http://127.0.0.1:9/v3",
        "http_request_max_retries": "0",
    }
    authenticator = KeystoneAuthenticator(replace(settings, keystone_authtoken=nowhere))
    with pytest.raises(Unavailable):
        authenticator.authenticate({"x-auth-token": "gAAAAAB"})


def test_a_service_user_that_keystone_does_not_know_is_not_a_refusal(settings: Settings) -> None:
    wrong = dict(settings.keystone_authtoken) | {"password": "wrong $password"}
    authenticator = KeystoneAuthenticator(replace(settings, keystone_authtoken=wrong))
    with pytest.raises(Unavailable):
        authenticator.authenticate({"x-auth-token": "gAAAAAB"})


@pytest.mark.parametrize(
    ("name", "value"), [("auth_type", "no-such-plugin"), ("http_connect_timeout", "soon")]
)
def test_options_that_cannot_be_used_stop_the_service(
    settings: Settings, name: str, value: str
) -> None:
    wrong = dict(settings.keystone_authtoken) | {name: value}
    with pytest.raises(Failed, match="keystone_authtoken"):
        KeystoneAuthenticator(replace(settings, keystone_authtoken=wrong))


def test_a_token_opens_its_own_project_alone(
    keystone: Keystone, settings: Settings, sqlite_database: Database
) -> None:
    """Through the whole API, with Keystone's tokens of two projects."""
    installation = replace(people_in(sqlite_database).installation, settings=settings)
    app = httpx.ASGITransport(create_app(installation))
    demo, admin = keystone.login("demo", "demo"), keystone.login("admin", "admin")

    async def statuses() -> list[int]:
        async with httpx.AsyncClient(transport=app, base_url="http://testserver") as http:
            return [
                (
                    await http.get(f"/v1.0/{project_of(whose)}/instances", headers=headers)
                ).status_code
                for whose in (demo, admin)
                for headers in ({"X-Auth-Token": demo}, {"X-Auth-Token": admin}, {})
            ]

    def project_of(token: str) -> str:
        seen = keystone.call("GET", "/auth/tokens", **{"X-Subject-Token": token})
        return str(seen["token"]["project"]["id"])

    assert anyio.run(statuses) == [200, 403, 401, 403, 200, 401]
