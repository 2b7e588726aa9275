"""`openstack database ...` of python-troveclient, unmodified, from ordering to deletion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Live
from tests.support.waiting import until

from .conftest import Shell


@pytest.fixture(scope="module", params=["password", "token"])
def openstack(
    request: pytest.FixtureRequest, live: Live, clients: Path, home: Path
) -> Iterator[Shell]:
    environ = live.with_password() if request.param == "password" else live.with_token()
    shell = Shell("openstack", environ, home)
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def admin(live: Live, clients: Path, home: Path) -> Iterator[Shell]:
    shell = Shell("openstack", live.with_token(admin=True), home)
    yield shell
    shell.close()


def shown(shell: Shell, name: str) -> dict[str, Any]:
    found: dict[str, Any] = shell("database", "instance", "show", name, "-f", "json").json
    return found


def await_status(shell: Shell, name: str, wanted: str) -> dict[str, Any]:
    until(lambda: shown(shell, name)["status"] == wanted, f"{name} is {wanted}", interval=0.2)
    return shown(shell, name)


def await_gone(shell: Shell, name: str) -> None:
    def is_gone() -> bool:
        return name not in [row["Name"] for row in rows(shell, "instance", "list")]

    until(is_gone, f"{name} is gone", interval=0.2)


def rows(shell: Shell, *words: str) -> Any:
    return shell("database", *words, "-f", "json").json


def works(shell: Shell, *words: str) -> None:
    done = shell("database", *words)
    assert done.code == 0, done.err


def refused(shell: Shell, *words: str) -> str:
    """What the client prints for an error of the service."""
    done = shell("database", *words)
    assert done.code == 1
    return done.err


@pytest.fixture(scope="module")
def pg(openstack: Shell) -> Iterator[dict[str, Any]]:
    """An instance as the tour in the documentation orders it."""
    line = (
        "database instance create pg --flavor 2 --size 1 --datastore postgresql "
        "--datastore-version 15 --databases app --users app_user:secret -f json"
    )
    created = openstack(*line.split()).json
    assert (created["name"], created["volume"], created["datastore"]) == ("pg", 1, "postgresql")
    yield await_status(openstack, "pg", "ACTIVE")
    works(openstack, "instance", "delete", "pg")
    await_gone(openstack, "pg")


def test_instances(openstack: Shell, pg: dict[str, Any]) -> None:
    (row,) = rows(openstack, "instance", "list")
    assert (row["ID"], row["Name"], row["Status"]) == (pg["id"], "pg", "ACTIVE")
    # Its size is what the other tests have made of it.
    volume = shown(openstack, pg["id"])["volume"]
    assert (row["Datastore"], row["Flavor ID"], row["Size"]) == ("postgresql", "2", volume)
    works(openstack, "instance", "update", "pg", "--name", "renamed")
    assert shown(openstack, pg["id"])["name"] == "renamed"
    works(openstack, "instance", "update", pg["id"], "--name", "pg")


def test_actions(openstack: Shell, pg: dict[str, Any]) -> None:
    works(openstack, "instance", "restart", "pg")
    await_status(openstack, "pg", "ACTIVE")
    works(openstack, "instance", "resize", "volume", "pg", "2")
    assert await_status(openstack, "pg", "ACTIVE")["volume"] == 2
    works(openstack, "instance", "resize", "flavor", "pg", "3")
    await_status(openstack, "pg", "ACTIVE")
    works(openstack, "instance", "resize", "flavor", "pg", "2")
    await_status(openstack, "pg", "ACTIVE")
    assert "not a replica" in refused(openstack, "instance", "promote", "pg")


def test_databases(openstack: Shell, pg: dict[str, Any]) -> None:
    works(openstack, "db", "create", "pg", "shop")
    assert {row["Name"] for row in rows(openstack, "db", "list", "pg")} == {"app", "shop"}
    assert "shop" in refused(openstack, "db", "create", "pg", "shop")
    works(openstack, "db", "delete", "pg", "shop")
    assert {row["Name"] for row in rows(openstack, "db", "list", "pg")} == {"app"}


def test_users(openstack: Shell, pg: dict[str, Any]) -> None:
    works(openstack, "user", "create", "pg", "clerk", "a-password", "--databases", "app")
    users = {row["Name"]: row for row in rows(openstack, "user", "list", "pg")}
    assert set(users) == {"app_user", "clerk"}
    assert rows(openstack, "user", "show", "pg", "clerk")["name"] == "clerk"
    access = rows(openstack, "user", "show", "access", "pg", "clerk")
    assert [row["Name"] for row in access] == ["app"]
    works(openstack, "user", "revoke", "access", "pg", "clerk", "app")
    assert rows(openstack, "user", "show", "access", "pg", "clerk") == []
    works(openstack, "user", "grant", "access", "pg", "clerk", "app")
    works(openstack, "user", "update", "attributes", "pg", "clerk", "--new_name", "waiter")
    works(openstack, "user", "delete", "pg", "waiter")
    assert [row["Name"] for row in rows(openstack, "user", "list", "pg")] == ["app_user"]


def test_root(openstack: Shell, pg: dict[str, Any]) -> None:
    assert rows(openstack, "root", "show", "pg")["is_root_enabled"] in (False, "False")
    enabled = rows(openstack, "root", "enable", "pg")
    assert enabled["password"]
    assert rows(openstack, "root", "show", "pg")["is_root_enabled"] in (True, "True")
    works(openstack, "root", "disable", "pg")


def test_catalog(openstack: Shell) -> None:
    names = {row["Name"] for row in openstack("datastore", "list", "-f", "json").json}
    assert names == {"postgresql", "mariadb"}
    assert openstack("datastore", "show", "postgresql", "-f", "json").json["name"] == "postgresql"
    versions = openstack("datastore", "version", "list", "postgresql", "-f", "json").json
    assert [row["Name"] for row in versions] == ["15"]
    line = "datastore version show 15 --datastore postgresql -f json"
    assert openstack(*line.split()).json["name"] == "15"
    flavors = rows(openstack, "flavor", "list")
    assert "2" in {str(row["ID"]) for row in flavors}
    assert str(rows(openstack, "flavor", "show", "2")["id"]) == "2"
    limits = openstack("database", "limit", "list", "-f", "value")
    assert (limits.code, "max_instances" in limits.out) == (0, True)


def test_what_is_not_served_is_empty_or_refused(openstack: Shell, pg: dict[str, Any]) -> None:
    assert rows(openstack, "backup", "list") == []
    assert rows(openstack, "configuration", "list") == []
    assert rows(openstack, "cluster", "list") == []
    assert "501" in refused(openstack, "backup", "create", "b", "--instance", "pg")
    assert rows(openstack, "ssl", "show", "pg")["status"] == "on"


def test_errors(openstack: Shell, pg: dict[str, Any]) -> None:
    assert "No instance" in refused(openstack, "instance", "show", "unknown")
    assert "404" in refused(openstack, "user", "delete", "pg", "unknown")
    line = "instance create x --flavor 99 --size 1 --datastore postgresql"
    assert "99" in refused(openstack, *line.split())


def test_quotas(admin: Shell, live: Live) -> None:
    quotas = {row["Resource"]: row for row in rows(admin, "quota", "show", live.project_id)}
    assert quotas["instances"]["Limit"] == 10
    updated = rows(admin, "quota", "update", live.project_id, "instances", "12")
    assert updated["instances"] == 12


def test_administrators_reset_and_force(admin: Shell, pg: dict[str, Any]) -> None:
    works(admin, "instance", "reset", "status", pg["id"])
    line = "instance create doomed --flavor 2 --size 1 --datastore mariadb"
    works(admin, *line.split())
    works(admin, "instance", "force", "delete", "doomed")
    await_gone(admin, "doomed")


def test_only_administrators_see_every_project(
    admin: Shell, openstack: Shell, pg: dict[str, Any]
) -> None:
    found = rows(admin, "instance", "list", "--all-projects")
    assert pg["id"] in {row["ID"] for row in found}
    assert refused(openstack, "instance", "list", "--all-projects")
