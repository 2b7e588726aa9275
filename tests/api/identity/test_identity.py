"""Keystone v3 as the built-in identity speaks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.identity.conftest import Identity, login_body
from tests.support.identity import PASSWORD

UNAUTHORIZED = {
    "error": {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    }
}
BASE = "https://db.example.org"


def test_versions_need_no_token(keystone: Identity) -> None:
    for path in ("/identity", "/identity/"):
        answer = keystone.http("GET", path)
        assert answer.status_code == 300
        (version,) = answer.json()["versions"]["values"]
        assert version["links"] == [{"rel": "self", "href": f"{BASE}/identity/v3/"}]
    for path in ("/identity/v3", "/identity/v3/"):
        assert keystone.http("GET", path).json() == {"version": version}


def test_a_login_answers_token_and_catalog(keystone: Identity) -> None:
    answer = keystone.call("POST", "/auth/tokens", body=login_body("alice", "blue"))
    assert answer.status_code == 201
    assert answer.headers["Vary"] == "X-Auth-Token"
    token = answer.json()["token"]
    urls = {
        (service["type"], endpoint["interface"]): endpoint["url"]
        for service in token["catalog"]
        for endpoint in service["endpoints"]
    }
    database, identity = f"{BASE}/v1.0/{keystone.people.blue}", f"{BASE}/identity/v3"
    assert urls == {
        (kind, interface): url
        for kind, url in (("database", database), ("identity", identity))
        for interface in ("public", "internal", "admin")
    }
    bare = keystone.call("POST", "/auth/tokens?nocatalog", body=login_body("alice", "blue"))
    assert "catalog" not in bare.json()["token"]


def test_without_public_endpoint_the_catalog_has_the_requests_address(keystone: Identity) -> None:
    settings = keystone.people.installation.settings
    object.__setattr__(settings.api, "public_endpoint", None)
    answer = keystone.call("GET", "/auth/catalog", keystone.login("alice"))
    assert answer.json()["catalog"][0]["endpoints"][0]["url"].startswith("http://testserver/v1.0/")


def test_a_public_endpoint_may_bear_the_version(keystone: Identity) -> None:
    settings = keystone.people.installation.settings
    object.__setattr__(settings.api, "public_endpoint", "https://db.test/v1.0/")
    answer = keystone.call("GET", "/auth/catalog", keystone.login("alice"))
    urls = {e["url"] for s in answer.json()["catalog"] for e in s["endpoints"]}
    assert all(url.removeprefix("https://db.test/").startswith(("v1.0/", "id")) for url in urls)
    assert not any("v1.0/v1.0" in url or "v1.0/identity" in url for url in urls)


@pytest.mark.parametrize(
    "user",
    [
        {"name": "alice", "domain": {"name": "Default"}, "password": "wrong password"},
        {"name": "unknown", "domain": {"name": "Default"}, "password": PASSWORD},
        {"name": "alice", "domain": {"name": "Elsewhere"}, "password": PASSWORD},
        {"name": "alice", "domain": {"id": "elsewhere"}, "password": PASSWORD},
        {"id": "unknown", "password": PASSWORD},
    ],
)
def test_every_wrong_login_has_the_same_answer(keystone: Identity, user: dict[str, Any]) -> None:
    identity = {"methods": ["password"], "password": {"user": user}}
    answer = keystone.call("POST", "/auth/tokens", body={"auth": {"identity": identity}})
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{BASE}/identity"'


@pytest.mark.parametrize(
    ("scope", "project"),
    [
        ({"project": {"name": "blue", "domain": {"id": "default"}}}, "blue"),
        ({"project": {"name": "blue", "domain": {"name": "Default"}}}, "blue"),
        ({"project": {"name": "blue"}}, "blue"),
        ("unscoped", None),
        ({"unscoped": {}}, None),
        (None, "red"),
    ],
)
def test_scopes(keystone: Identity, scope: Any, project: str | None) -> None:
    body = login_body("alice")
    body["auth"] |= {"scope": scope} if scope else {}
    token = keystone.call("POST", "/auth/tokens", body=body).json()["token"]
    assert token.get("project", {}).get("name") == project
    assert ("catalog" in token) == (project is not None)


@pytest.mark.parametrize(
    "scope",
    [
        {"domain": {"id": "default"}},
        {"system": {"all": True}},
        {"project": {"name": "blue", "domain": {"name": "Elsewhere"}}},
        {"project": {"id": "none"}},
    ],
)
def test_scopes_that_are_not_to_be_had(keystone: Identity, scope: Any) -> None:
    body = login_body("alice")
    body["auth"]["scope"] = scope
    assert keystone.call("POST", "/auth/tokens", body=body).status_code == 401


@pytest.mark.parametrize(
    ("identity", "status", "message"),
    [
        ({"methods": []}, 400, "auth.identity.methods"),
        ({"methods": ["password"]}, 400, "auth.identity.password: is missing"),
        ({"methods": ["totp"]}, 401, "Authenticate by one of"),
        ({"methods": ["password", "token"]}, 401, "Authenticate by one of"),
        ({"methods": ["password"], "password": {"user": {"password": "x"}}}, 400, "id or a name"),
        (
            {"methods": ["password"], "password": {"user": {"name": "a\0b", "password": "x"}}},
            400,
            "auth.identity.password.user.name: must not have NUL",
        ),
        (
            {"methods": ["password"], "password": {"user": {"name": "alice", "password": 7}}},
            400,
            "auth.identity.password.user.password",
        ),
        (
            {"methods": ["application_credential"], "application_credential": {"secret": "x"}},
            400,
            "auth.application_credential: needs an id, or a name and a user",
        ),
    ],
)
def test_a_malformed_login_names_the_field(
    keystone: Identity, identity: dict[str, Any], status: int, message: str
) -> None:
    answer = keystone.call("POST", "/auth/tokens", body={"auth": {"identity": identity}})
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == status


def test_what_is_not_json_or_too_much_is_refused(keystone: Identity) -> None:
    path = "/identity/v3/auth/tokens"
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"[]", b'{"auth": {"identity": {"methods": ["\\ud800"]}}}', b""):
        assert keystone.http("POST", path, content=content, headers=headers).status_code in {
            400,
            401,
        }
    assert keystone.http("POST", path, content=b" " * 70000, headers=headers).status_code == 413


def test_guessing_is_slowed_down(keystone: Identity) -> None:
    wrong = login_body("alice", password="wrong password")
    answers = [keystone.call("POST", "/auth/tokens", body=wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].json()["error"]["title"] == "Too Many Requests"
    assert answers[-1].headers["Retry-After"] == "1"


def test_a_token_is_shown_and_revoked(keystone: Identity) -> None:
    token = keystone.login("alice")
    subject = {"X-Subject-Token": token}
    shown = keystone.call("GET", "/auth/tokens", token, **subject)
    assert shown.status_code == 200
    assert shown.headers["X-Subject-Token"] == token
    assert shown.json()["token"]["user"]["name"] == "alice"
    head = keystone.call("HEAD", "/auth/tokens", token, **subject)
    assert (head.status_code, head.text) == (200, "")
    assert keystone.call("DELETE", "/auth/tokens", token, **subject).status_code == 204
    answer = keystone.call("GET", "/auth/tokens", token, **subject)
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


def test_only_administrators_see_others_tokens(keystone: Identity) -> None:
    alice, bob = keystone.login("alice", "blue"), keystone.login("bob")
    assert (
        keystone.call("GET", "/auth/tokens", bob, **{"X-Subject-Token": alice}).status_code == 403
    )
    assert (
        keystone.call("GET", "/auth/tokens", alice, **{"X-Subject-Token": bob}).status_code == 200
    )
    assert keystone.call("GET", "/auth/tokens", bob, **{"X-Subject-Token": "x"}).status_code == 404
    assert keystone.call("GET", "/auth/tokens", bob).status_code == 400


def test_projects(keystone: Identity) -> None:
    member, admin = keystone.login("bob"), keystone.login("alice", "blue")

    def names(token: str, path: str) -> list[str]:
        return [p["name"] for p in keystone.call("GET", path, token).json()["projects"]]

    assert names(member, "/auth/projects") == ["blue"]
    assert names(admin, "/auth/projects") == ["blue", "red"]
    assert names(member, "/projects") == ["blue"]
    assert names(admin, "/projects") == ["blue", "red"]
    assert names(admin, "/projects?name=red&domain_id=default&enabled=true") == ["red"]
    assert names(admin, "/projects?name=none") == []
    assert names(admin, f"/users/{keystone.people.bob}/projects") == ["blue"]
    red = keystone.call("GET", f"/projects/{keystone.people.red}", admin).json()["project"]
    assert (red["name"], red["domain_id"]) == ("red", "default")
    assert keystone.call("GET", f"/projects/{keystone.people.red}", member).status_code == 403
    assert keystone.call("GET", "/projects/none", member).status_code == 403
    assert keystone.call("GET", "/projects/none", admin).status_code == 404


def test_users(keystone: Identity) -> None:
    member, admin = keystone.login("bob"), keystone.login("alice", "blue")
    own = keystone.call("GET", f"/users/{keystone.people.bob}", member).json()["user"]
    assert (own["name"], own["enabled"]) == ("bob", True)
    assert keystone.call("GET", f"/users/{keystone.people.alice}", member).status_code == 403
    assert keystone.call("GET", f"/users/{keystone.people.bob}", admin).status_code == 200
    assert keystone.call("GET", "/users/none", admin).status_code == 404
    assert keystone.call("GET", "/users/a%00b", admin).status_code == 400
    assert keystone.call("GET", "/users", member).status_code == 403
    found = keystone.call("GET", "/users?name=carol", admin).json()["users"]
    assert [user["name"] for user in found] == ["carol"]


def test_domains_and_roles(keystone: Identity) -> None:
    token = keystone.login("bob")
    domains = keystone.call("GET", "/domains?name=Default", token).json()["domains"]
    assert [domain["id"] for domain in domains] == ["default"]
    assert keystone.call("GET", "/domains/default", token).json()["domain"] == domains[0]
    assert keystone.call("GET", "/domains/other", token).status_code == 404
    roles = keystone.call("GET", "/roles", token).json()["roles"]
    assert [role["name"] for role in roles] == ["admin", "member", "reader"]
    assert keystone.call("GET", "/roles/member", token).json()["role"] == roles[1]
    assert keystone.call("GET", "/roles/king", token).status_code == 404


def test_a_password_is_changed_by_who_knows_it(keystone: Identity) -> None:
    path = f"/users/{keystone.people.bob}/password"
    wanted = {"user": {"original_password": "wrong password", "password": "another password"}}
    assert keystone.call("POST", path, body=wanted).status_code == 401
    wanted["user"]["original_password"] = PASSWORD
    assert keystone.call("POST", path, body=wanted).status_code == 204
    body = login_body("bob", password="another password")
    assert keystone.call("POST", "/auth/tokens", body=body).status_code == 201


def test_application_credentials(keystone: Identity) -> None:
    token = keystone.login("alice", "blue")
    path = f"/users/{keystone.people.alice}/application_credentials"
    wanted: dict[str, Any] = {
        "name": "job",
        "description": "nightly",
        "roles": [{"name": "admin"}],
        "expires_at": "2026-06-01T00:00:00",
    }
    made = keystone.call("POST", path, token, {"application_credential": wanted})
    assert made.status_code == 201
    credential = made.json()["application_credential"]
    secret = credential.pop("secret")
    assert credential["expires_at"] == "2026-06-01T00:00:00.000000"
    assert credential["project_id"] == keystone.people.blue
    assert (
        keystone.call("GET", f"{path}/{credential['id']}", token).json()["application_credential"]
        == credential
    )
    listed = keystone.call("GET", f"{path}?name=job", token).json()["application_credentials"]
    assert listed == [credential]
    again = keystone.call("POST", path, token, {"application_credential": wanted})
    assert again.status_code == 409
    for proof in (
        {"id": credential["id"], "secret": secret},
        {"name": "job", "user": {"id": keystone.people.alice}, "secret": secret},
        {"name": "job", "user": {"name": "alice", "domain": {"id": "default"}}, "secret": secret},
    ):
        identity = {"methods": ["application_credential"], "application_credential": proof}
        answer = keystone.call("POST", "/auth/tokens", body={"auth": {"identity": identity}})
        assert answer.status_code == 201
        assert answer.json()["token"]["project"]["id"] == keystone.people.blue
    restricted = answer.headers["X-Subject-Token"]
    another = {"application_credential": {"name": "another"}}
    assert keystone.call("POST", path, restricted, another).status_code == 403
    assert keystone.call("DELETE", f"{path}/{credential['id']}", restricted).status_code == 403
    assert keystone.call("DELETE", f"{path}/{credential['id']}", token).status_code == 204
    assert keystone.call("GET", f"{path}/{credential['id']}", token).status_code == 404
    assert keystone.call("GET", "/auth/catalog", restricted).status_code == 401


def test_who_may_not_create_credentials(keystone: Identity) -> None:
    wanted = {"application_credential": {"name": "job"}}
    others = f"/users/{keystone.people.bob}/application_credentials"
    admin = keystone.login("alice", "blue")
    assert keystone.call("POST", others, admin, wanted).status_code == 403
    own = f"/users/{keystone.people.carol}/application_credentials"
    answer = keystone.call("POST", own, keystone.login("carol"), wanted)
    assert answer.status_code == 403
    assert "the project of the token" in answer.json()["error"]["message"]
    rules = {"application_credential": {"name": "job", "access_rules": [{"method": "GET"}]}}
    own = f"/users/{keystone.people.alice}/application_credentials"
    answer = keystone.call("POST", own, admin, rules)
    assert answer.status_code == 400
    assert "access_rules: are not served" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/groups", "/regions/RegionOne", "/auth/tokens/OS-PKI/revoked"])
def test_what_is_not_served_says_so(keystone: Identity, path: str) -> None:
    answer = keystone.call("GET", path, keystone.login("bob"))
    assert answer.status_code == 404
    assert answer.json()["error"]["title"] == "Not Found"


def test_an_unscoped_token_opens_no_project(keystone: Identity) -> None:
    token = keystone.login("carol")
    assert keystone.call("GET", "/auth/catalog", token).json()["catalog"] == []
    path = f"/v1.0/{keystone.people.blue}/instances"
    assert keystone.http("GET", path, headers={"X-Auth-Token": token}).status_code == 403


def test_a_token_opens_its_own_project_alone(keystone: Identity) -> None:
    headers = {"X-Auth-Token": keystone.login("bob")}
    own, others = (f"/v1.0/{p}/instances" for p in (keystone.people.blue, keystone.people.red))
    assert keystone.http("GET", own, headers=headers).status_code == 200
    assert keystone.http("GET", others, headers=headers).status_code == 403
    assert keystone.http("GET", own).status_code == 401
