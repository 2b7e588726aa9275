"""`openstack database ...` of python-troveclient, unmodified, from ordering to deletion."""

from __future__ import annotations

import time

import pytest

from .conftest import Shell


@pytest.fixture(scope="module", params=["password", "token"])
def openstack(request, live, clients, home):
    environ = live.with_password() if request.param == "password" else live.with_token()
    shell = Shell("openstack", environ, home)
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def admin(live, clients, home):
    shell = Shell("openstack", live.with_token(admin=True), home)
    yield shell
    shell.close()


def shown(shell, name):
    return shell("database", "instance", "show", name, "-f", "json").json


def await_status(shell, name, wanted):
    deadline = time.monotonic() + 60
    while shown(shell, name)["status"] != wanted:
        assert time.monotonic() < deadline, shown(shell, name)
        time.sleep(0.2)
    return shown(shell, name)


def await_gone(shell, name):
    deadline = time.monotonic() + 60
    while name in [row["Name"] for row in rows(shell, "instance", "list")]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def rows(shell, *words):
    return shell("database", *words, "-f", "json").json


def works(shell, *words):
    done = shell("database", *words)
    assert done.code == 0, done.err


def refused(shell, *words):
    """What the client tells of an error that the service gave."""
    done = shell("database", *words)
    assert done.code == 1
    return done.err


@pytest.fixture(scope="module")
def pg(openstack):
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


def test_instances(openstack, pg):
    (row,) = rows(openstack, "instance", "list")
    assert (row["ID"], row["Name"], row["Status"]) == (pg["id"], "pg", "ACTIVE")
    # Its size is what the other tests have made of it.
    volume = shown(openstack, pg["id"])["volume"]
    assert (row["Datastore"], row["Flavor ID"], row["Size"]) == ("postgresql", "2", volume)
    works(openstack, "instance", "update", "pg", "--name", "renamed")
    assert shown(openstack, pg["id"])["name"] == "renamed"
    works(openstack, "instance", "update", pg["id"], "--name", "pg")


def test_actions(openstack, pg):
    works(openstack, "instance", "restart", "pg")
    await_status(openstack, "pg", "ACTIVE")
    works(openstack, "instance", "resize", "volume", "pg", "2")
    assert await_status(openstack, "pg", "ACTIVE")["volume"] == 2
    works(openstack, "instance", "resize", "flavor", "pg", "3")
    await_status(openstack, "pg", "ACTIVE")
    works(openstack, "instance", "resize", "flavor", "pg", "2")
    await_status(openstack, "pg", "ACTIVE")
    assert "not a replica" in refused(openstack, "instance", "promote", "pg")


def test_databases(openstack, pg):
    works(openstack, "db", "create", "pg", "shop")
    assert {row["Name"] for row in rows(openstack, "db", "list", "pg")} == {"app", "shop"}
    assert "shop" in refused(openstack, "db", "create", "pg", "shop")
    works(openstack, "db", "delete", "pg", "shop")
    assert {row["Name"] for row in rows(openstack, "db", "list", "pg")} == {"app"}


def test_users(openstack, pg):
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


def test_root(openstack, pg):
    assert rows(openstack, "root", "show", "pg")["is_root_enabled"] in (False, "False")
    enabled = rows(openstack, "root", "enable", "pg")
    assert enabled["password"]
    assert rows(openstack, "root", "show", "pg")["is_root_enabled"] in (True, "True")
    works(openstack, "root", "disable", "pg")


def test_catalog(openstack):
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


def test_what_does_not_exist_yet_is_said_honestly(openstack, pg):
    assert rows(openstack, "backup", "list") == []
    assert rows(openstack, "configuration", "list") == []
    assert rows(openstack, "cluster", "list") == []
    assert "501" in refused(openstack, "backup", "create", "b", "--instance", "pg")
    assert rows(openstack, "ssl", "show", "pg")["status"] == "on"


def test_errors(openstack, pg):
    assert "No instance" in refused(openstack, "instance", "show", "nobody")
    assert "404" in refused(openstack, "user", "delete", "pg", "nobody")
    line = "instance create x --flavor 99 --size 1 --datastore postgresql"
    assert "99" in refused(openstack, *line.split())


def test_quotas(admin, live):
    quotas = {row["Resource"]: row for row in rows(admin, "quota", "show", live.project_id)}
    assert quotas["instances"]["Limit"] == 10
    updated = rows(admin, "quota", "update", live.project_id, "instances", "12")
    assert updated["instances"] == 12


def test_administrators_reset_and_force(admin, pg):
    works(admin, "instance", "reset", "status", pg["id"])
    line = "instance create doomed --flavor 2 --size 1 --datastore mariadb"
    works(admin, *line.split())
    works(admin, "instance", "force", "delete", "doomed")
    await_gone(admin, "doomed")


def test_every_project_is_seen_by_administrators_alone(admin, openstack, pg):
    found = rows(admin, "instance", "list", "--all-projects")
    assert pg["id"] in {row["ID"] for row in found}
    assert refused(openstack, "instance", "list", "--all-projects")
