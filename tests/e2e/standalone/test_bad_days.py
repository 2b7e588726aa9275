"""The control plane is killed, programs are missing, addresses are taken: an order ends ACTIVE, or
in ERROR with a reason, and deletion leaves nothing."""

from __future__ import annotations

import ipaddress
import json
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.standalone import Service, make_service
from tests.support.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

STEPS = ("network.allocate", "volume.create", "server.boot", "datastore.prepare")


@pytest.fixture
def fresh() -> Iterator[Service]:
    service = make_service()
    service.start()
    try:
        yield service
    finally:
        service.remove()


def order(service: Service, name: str, datastore: str = "postgresql") -> str:
    words = ("create", name, "2", "--size", "1", "--datastore", datastore)
    seen: dict[str, Any] = service.trove(*words)
    return str(seen["id"])


def step_of(service: Service, instance_id: str) -> str:
    """The current step, read from the metadata database, which needs no running service."""
    with sqlite3.connect(service.state / "trove.sqlite") as connection:
        row = connection.execute(
            "SELECT state, step FROM operations WHERE subject_id = ? ORDER BY created_at DESC",
            (instance_id,),
        ).fetchone()
    return str(row[1]) if row[0] == "running" else str(row[0])


def await_step(service: Service, instance_id: str, steps: Sequence[str]) -> None:
    until(lambda: step_of(service, instance_id) in steps, interval=0)


def test_killed_again_and_again_it_still_builds(fresh: Service) -> None:
    """Killed as soon as each step is reached, or at whatever came after it."""
    instance_id = order(fresh, "killed")
    kills = 0
    for step in STEPS:
        reached = STEPS[STEPS.index(step) :]
        ends = (*reached, "succeeded")
        await_step(fresh, instance_id, ends)
        if step_of(fresh, instance_id) == "succeeded":
            break
        fresh.kill()
        kills += 1
        fresh.start()
    until(lambda: fresh.is_healthy("killed"))
    assert kills
    fresh.trove("delete", "killed", "--wait")
    assert not any(fresh.traces().values())


def test_an_engine_that_is_not_there(fresh: Service) -> None:
    fresh.stop()
    with sqlite3.connect(fresh.state / "trove.sqlite") as connection:
        connection.execute(
            "UPDATE datastore_versions SET image = '/nowhere' WHERE manager = 'postgresql'"
        )
    fresh.options["TROVE_ENGINES"] = ""
    fresh.start()
    with sqlite3.connect(fresh.state / "trove.sqlite") as connection:
        connection.execute(
            "UPDATE datastore_versions SET image = '/nowhere' WHERE manager = 'postgresql'"
        )
    message = fresh.fails(
        "create", "broken", "2", "--size", "1", "--datastore", "postgresql", "--wait"
    )
    assert "/nowhere" in message
    seen = fresh.show("broken")
    assert seen["status"] == "ERROR"
    assert "/nowhere" in json.dumps(seen["fault"])
    fresh.trove("delete", "broken", "--wait")
    assert not any(fresh.traces().values())


def test_the_port_is_taken_everywhere(fresh: Service) -> None:
    """On each address of the pool; what a machine's own servers hold is no matter."""
    fresh.stop()
    fresh.pool = fresh.pool.replace("/24", "/29")
    fresh.start()
    with ExitStack() as holders:
        for address in ipaddress.ip_network(fresh.pool):
            holder = holders.enter_context(socket.socket())
            holder.bind((str(address), 3306))
            holder.listen()
        words = ("create", "crowded", "2", "--size", "1", "--datastore", "mariadb", "--wait")
        assert "3306" in fresh.fails(*words)
    assert fresh.words("crowded")[0] == "ERROR"
    fresh.trove("delete", "crowded", "--wait")
    assert not any(fresh.traces().values())


def test_deleted_while_it_is_built(fresh: Service) -> None:
    for step in STEPS:
        instance_id = order(fresh, f"gone-{step}")
        reached = (*STEPS[STEPS.index(step) :], "succeeded")
        await_step(fresh, instance_id, reached)
        fresh.trove("delete", instance_id, "--wait")
        assert not any(fresh.traces().values())


def test_the_service_is_killed_while_it_deletes(fresh: Service) -> None:
    fresh.trove("create", "doomed", "2", "--size", "1", "--datastore", "mariadb", "--wait")
    fresh.trove("delete", "doomed")
    fresh.kill()
    fresh.start()
    until(lambda: not fresh.trove("list"))
    assert not any(fresh.traces().values())
