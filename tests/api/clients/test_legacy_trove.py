"""The `trove` script of python-troveclient, unmodified."""

from __future__ import annotations

import json
import time

import pytest

from .conftest import Shell


@pytest.fixture(scope="module")
def trove(live, clients, home):
    shell = Shell("trove", live.with_password(), home)
    yield shell
    shell.close()


def asked(shell, *words):
    done = shell("--json", *words)
    assert done.code == 0, done.err
    return json.loads(done.out) if done.out.startswith(("{", "[")) else None


def test_an_instance_from_order_to_deletion(trove):
    line = "create old 2 --size 1 --datastore mariadb --databases app --users u:secret"
    created = asked(trove, *line.split())
    instance_id = created["id"]
    deadline = time.monotonic() + 60
    while asked(trove, "show", instance_id)["status"] != "ACTIVE":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [each["name"] for each in asked(trove, "list")] == ["old"]
    asked(trove, "database-create", "old", "shop")
    names = {each["name"] for each in asked(trove, "database-list", "old")}
    assert names == {"app", "shop"}
    asked(trove, "user-create", "old", "clerk", "a-password", "--databases", "app")
    assert {each["name"] for each in asked(trove, "user-list", "old")} == {"u", "clerk"}
    asked(trove, "user-delete", "old", "clerk")
    asked(trove, "delete", "old")
    while asked(trove, "list"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_catalog(trove, live):
    names = {each["name"] for each in asked(trove, "datastore-list")}
    assert names == {"postgresql", "mariadb"}
    assert asked(trove, "flavor-list")
    assert "max_instances" in trove("limit-list").out
    assert asked(trove, "quota-show", live.project_id)
