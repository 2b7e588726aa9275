"""The Keystone that `run.sh` has started: its tokens, and an authenticator that uses it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import urllib3

from trove.settings import ApiSettings, Settings

URL = os.environ.get("TROVE_KEYSTONE_URL", "")
PASSWORD = os.environ.get("TROVE_KEYSTONE_PASSWORD", "")


@dataclass(frozen=True)
class Keystone:
    """A Keystone v3 by its URL, and a token of its administrator."""

    http: urllib3.PoolManager
    admin: str = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"X-Auth-Token": self.admin} | headers
        answer = self.http.request(method, URL + path, json=body, headers=sent)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def token(self, identity: dict[str, Any], project: str | None = None) -> str:
        """A token for the project of this name, or for none."""
        scope: Any = "unscoped"
        if project:
            scope = {"project": {"name": project, "domain": {"id": "default"}}}
        if "application_credential" in identity:
            scope = None
        auth = {"identity": identity} | ({"scope": scope} if scope else {})
        answer = self.http.request("POST", f"{URL}/auth/tokens", json={"auth": auth})
        assert answer.status == 201, answer.data
        return answer.headers["X-Subject-Token"]

    def login(self, user: str, project: str | None = None) -> str:
        return self.token(by_password(user), project)

    def credential(self, token: str, **fields: Any) -> str:
        """A token got by a new application credential of the user of this token."""
        seen = self.call("GET", "/auth/tokens", **{"X-Subject-Token": token})["token"]
        path = f"/users/{seen['user']['id']}/application_credentials"
        wanted = {"application_credential": {"name": uuid.uuid4().hex} | fields}
        made = self.call("POST", path, wanted, **{"X-Auth-Token": token})["application_credential"]
        proof = {"id": made["id"], "secret": made["secret"]}
        return self.token({"methods": ["application_credential"], "application_credential": proof})


def by_password(user: str) -> dict[str, Any]:
    who = {"name": user, "domain": {"id": "default"}, "password": PASSWORD}
    return {"methods": ["password"], "password": {"user": who}}


@pytest.fixture(scope="session")
def keystone() -> Iterator[Keystone]:
    if not URL:
        pytest.skip("no Keystone: run tests/keystone/run.sh")
    with urllib3.PoolManager(timeout=30) as http:
        yield Keystone(http, Keystone(http).login("admin", "admin"))


@pytest.fixture(scope="session")
def settings(keystone: Keystone) -> Settings:
    """As operators write it into [keystone_authtoken]."""
    options = {
        "www_authenticate_uri": URL,
        "auth_url": URL,
        "auth_type": "password",
        "project_domain_id": "default",
        "user_domain_id": "default",
        "project_name": "service",
        "username": "trove",
        "password": PASSWORD,
        "service_token_roles": "service",
        "service_token_roles_required": "true",
        "service_type": "database",
        "token_cache_time": "1",
    }
    return replace(Settings(), api=ApiSettings(auth="keystone"), keystone_authtoken=options)
