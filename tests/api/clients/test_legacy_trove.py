"""The `trove` script of python-troveclient, unmodified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Live
from tests.support.waiting import until

from .conftest import Shell


@pytest.fixture(scope="module")
def trove(live: Live, clients: Path, home: Path) -> Iterator[Shell]:
    shell = Shell("trove", live.with_password(), home)
    yield shell
    shell.close()


def answer_of(shell: Shell, *words: str) -> Any:
    done = shell("--json", *words)
    assert done.code == 0, done.err
    return json.loads(done.out) if done.out.startswith(("{", "[")) else None


def test_an_instance_from_order_to_deletion(trove: Shell) -> None:
    line = "create old 2 --size 1 --datastore mariadb --databases app --users u:secret"
    created = answer_of(trove, *line.split())
    instance_id = created["id"]
    until(lambda: answer_of(trove, "show", instance_id)["status"] == "ACTIVE", interval=0.2)
    assert [each["name"] for each in answer_of(trove, "list")] == ["old"]
    answer_of(trove, "database-create", "old", "shop")
    names = {each["name"] for each in answer_of(trove, "database-list", "old")}
    assert names == {"app", "shop"}
    answer_of(trove, "user-create", "old", "clerk", "a-password", "--databases", "app")
    assert {each["name"] for each in answer_of(trove, "user-list", "old")} == {"u", "clerk"}
    answer_of(trove, "user-delete", "old", "clerk")
    answer_of(trove, "delete", "old")
    until(lambda: not answer_of(trove, "list"), interval=0.2)


def test_the_catalog(trove: Shell, live: Live) -> None:
    names = {each["name"] for each in answer_of(trove, "datastore-list")}
    assert names == {"postgresql", "mariadb"}
    assert answer_of(trove, "flavor-list")
    assert "max_instances" in trove("limit-list").out
    assert answer_of(trove, "quota-show", live.project_id)
