"""The unmodified OpenStack client logs in with password, token and application credential."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.api.identity.conftest import CLIENTS, Service


def openstack(environment: dict[str, str], *words: str) -> Any:
    done = run(environment, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(CLIENTS / "bin" / "openstack"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_password_token_and_credential(service: Service) -> None:
    anna = service.as_user("anna", "shop")
    token = openstack(anna, "token", "issue", "-f", "json")
    assert set(token) == {"expires", "id", "project_id", "user_id"}

    made = openstack(anna, "application", "credential", "create", "job", "-f", "json")
    # Releases of the client differ in how they spell columns.
    fields = {name.lower().replace(" ", "_"): value for name, value in made.items()}
    credential = service.environment(
        OS_AUTH_TYPE="v3applicationcredential",
        OS_APPLICATION_CREDENTIAL_ID=fields["id"],
        OS_APPLICATION_CREDENTIAL_SECRET=fields["secret"],
    )
    issued = openstack(credential, "token", "issue", "-f", "json")
    assert issued["project_id"] == token["project_id"]

    by_token = service.environment(
        OS_AUTH_TYPE="v3token",
        OS_TOKEN=token["id"],
        OS_PROJECT_NAME="shop",
        OS_PROJECT_DOMAIN_NAME="Default",
    )
    again = openstack(by_token, "token", "issue", "-f", "json")
    assert again["user_id"] == token["user_id"]
    for environment in (anna, credential, by_token):
        assert openstack(environment, "database", "instance", "list", "-f", "json") == []

    openstack(anna, "token", "revoke", token["id"])
    assert "401" in run(by_token, "token", "issue").stderr


def test_catalog_projects_and_credentials_are_listed(service: Service) -> None:
    anna = service.as_user("anna", "shop")
    catalog = openstack(anna, "catalog", "list", "-f", "json")
    assert {entry["Type"] for entry in catalog} == {"database", "identity"}
    assert [p["Name"] for p in openstack(anna, "project", "list", "-f", "json")] == ["shop"]
    assert openstack(anna, "project", "show", "shop", "-f", "json")["name"] == "shop"
    words = ("application", "credential")
    openstack(anna, *words, "create", "other", "--role", "member", "-f", "json")
    listed = openstack(anna, *words, "list", "-f", "json")
    assert "other" in {entry["Name"] for entry in listed}
    openstack(anna, *words, "delete", "other")
    listed = openstack(anna, *words, "list", "-f", "json")
    assert "other" not in {entry["Name"] for entry in listed}


def test_a_static_token(service: Service) -> None:
    token = service.manage("token_create", "anna", "shop", "--days", "1").strip()
    project = openstack(service.as_user("anna", "shop"), "token", "issue", "-f", "json")
    environment = service.environment(
        OS_AUTH_TYPE="admin_token",
        OS_ENDPOINT=f"{service.url}/v1.0/{project['project_id']}",
        OS_TOKEN=token,
    )
    assert openstack(environment, "database", "instance", "list", "-f", "json") == []


@pytest.mark.parametrize("change", [{"OS_PASSWORD": "wrong"}, {"OS_PROJECT_NAME": "bank"}])
def test_a_refusal_is_reported(service: Service, change: dict[str, str]) -> None:
    refused = run(service.as_user("anna", "shop") | change, "token", "issue")
    assert refused.returncode != 0
    assert "requires authentication" in refused.stderr
