"""`/instances` on the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from trove.db import utcnow
from trove.engine import Operation
from trove.models import DatastoreVersion, Instance
from trove.settings import Settings
from trove.testing.world.api import RED, World


def test_an_instance_is_ordered_built_and_shown(world: World) -> None:
    instance_id = world.order(name="first", datastore={"type": "mariadb"})
    assert world.get(f"/instances/{instance_id}")["instance"]["status"] == "BUILD"
    world.settle()
    shown = world.get(f"/instances/{instance_id}")["instance"]
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A world over each of the metadata databases."""
    made = World(tmp_path, url=database_url)
    yield made
    made.close()


def test_pages_follow_one_another_on_every_database(anywhere: World) -> None:
    ids = [anywhere.order(name=f"db-{number}") for number in range(5)]
    newest_first = ids[::-1]
    seen: list[str] = []
    marker: str | None = None
    for path in ("/instances", "/instances/detail", "/instances"):
        params = {"limit": 2} | ({"marker": marker} if marker else {})
        page = anywhere.get(path, params=params)
        seen += [shown["id"] for shown in page["instances"]]
        marker = seen[-1]
    assert seen == newest_first
    assert "links" not in page


def test_a_list_shows_replicas_and_their_sources(anywhere: World) -> None:
    source, *copies = [anywhere.order() for _ in range(3)]
    with anywhere.database.begin() as session:
        chosen = update(Instance).where(Instance.id.in_(copies))
        session.execute(chosen.values(replica_of=source))
    listed = {shown["id"]: shown for shown in anywhere.get("/instances")["instances"]}
    assert {copy["id"] for copy in listed[source]["replicas"]} == set(copies)
    assert [listed[copy]["replica_of"]["id"] for copy in copies] == [source, source]
    with anywhere.database.begin() as session:
        gone = update(Instance).where(Instance.id == copies[0])
        session.execute(gone.values(deleted_at=utcnow()))
    left = anywhere.get(f"/instances/{source}")["instance"]["replicas"]
    assert [copy["id"] for copy in left] == [copies[1]]


def test_a_read_shows_every_earlier_write(anywhere: World) -> None:
    instance_id = anywhere.order(name="0")
    stop = threading.Event()

    def keep_reading() -> None:
        while not stop.is_set():
            anywhere.get("/instances")

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(keep_reading) for _ in range(4)]
        try:
            for number in range(1, 20):
                change = {"instance": {"name": str(number)}}
                assert (
                    anywhere.request("PUT", f"/instances/{instance_id}", change).status_code == 202
                )
                assert anywhere.get("/instances")["instances"][0]["name"] == str(number)
        finally:
            stop.set()
        for reader in readers:
            reader.result()


def test_a_long_page_is_read_as_a_short_one(tmp_path: Path) -> None:
    def roomy(settings: Settings) -> Settings:
        return replace(settings, api=replace(settings.api, page_size=1000))

    world = World(tmp_path, roomy)
    ids = {world.order() for _ in range(3)}
    assert {shown["id"] for shown in world.get("/instances")["instances"]} == ids
    assert len(world.get("/instances", params={"limit": "0000000001"})["instances"]) == 1
    short = world.get("/instances", params={"limit": 50})["instances"]
    assert {shown["id"] for shown in short} == ids
    world.close()


def test_clients_that_read_the_first_page_alone_find_old_instances(world: World) -> None:
    more = {"quotas": {"instances": 30, "volumes": 30}}
    world.request("PUT", f"/mgmt/quotas/{RED}", more, who="admin")
    ids = [world.order(name=f"db-{number}") for number in range(22)]
    shown = world.get("/instances")
    assert [each["id"] for each in shown["instances"]] == ids[::-1]
    assert "links" not in shown


@pytest.mark.parametrize("path", ["/instances", "/instances/detail", "/mgmt/instances"])
def test_instances_are_found_by_their_name(anywhere: World, path: str) -> None:
    twins = {anywhere.order(name="twin") for _ in range(2)}
    anywhere.order(name="Twin")
    anywhere.order(name="twins")
    who = "admin" if "mgmt" in path else "red"

    def found(**query: object) -> list[str]:
        page = anywhere.get(path, who=who, params=query)
        return [each["id"] for each in page["instances"]]

    exact = set(found(name="twin"))
    # Collations of MariaDB may take another case for the same.
    assert twins <= exact
    assert found(name="none") == found(name="tw") == found(name="twin%") == []
    first = anywhere.get(path, who=who, params={"name": "twin", "limit": 1})
    assert "name=twin" in first["instances_links"][0]["href"]
    assert set(found(name="twin", marker=first["instances"][0]["id"])) < exact


def test_unsupported_actions_on_a_replica_are_refused(world: World) -> None:
    source, copy = world.built(), world.built()
    with world.database.begin() as session:
        session.execute(update(Instance).where(Instance.id == copy).values(replica_of=source))
    for instance_id, action in (
        (copy, "promote_to_replica_source"),
        (source, "eject_replica_source"),
    ):
        answer = world.request("POST", f"/instances/{instance_id}/action", {action: {}})
        assert answer.status_code == 501, answer.text
        assert action in answer.json()["notImplemented"]["message"]


def test_where_an_instance_lies_is_shown(world: World) -> None:
    instance_id = world.order()
    with world.database.begin() as session:
        chosen = update(Instance).where(Instance.id == instance_id)
        session.execute(chosen.values(locality="affinity", availability_zone="north"))
    shown = world.get(f"/instances/{instance_id}")["instance"]
    assert (shown["locality"], shown["availability_zone"]) == ("affinity", "north")


def test_details_of_a_fault_are_shown_to_operators_only(world: World) -> None:
    instance_id = world.order()
    with world.database.begin() as session:
        chosen = update(Operation).where(Operation.subject_id == instance_id)
        session.execute(chosen.values(state="failed", error="No room."))
    fault = world.get(f"/instances/{instance_id}")["instance"]["fault"]
    assert (fault["message"], fault["details"]) == ("No room.", None)
    seen = world.get(f"/instances/{instance_id}", who="admin")["instance"]["fault"]
    assert seen["details"].startswith("instance.create ended failed; operation ")


def test_access_rules_are_shown_as_unenforced(world: World) -> None:
    """Clients send `access` with every order: it is taken, and what it says is not pretended."""
    access = {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]}
    message = world.get(f"/instances/{world.order(access=access)}")["instance"]["unenforced"]
    assert [each.partition(":")[0] for each in message] == ["access.allowed_cidrs"]
    plain = world.get(f"/instances/{world.order(access={'is_public': False})}")
    assert plain["instance"]["unenforced"] == []


def ignoring(settings: Settings) -> Settings:
    return replace(settings, api=replace(settings.api, ignore_unavailable_placement=True))


def test_orders_written_for_a_cloud_may_be_accepted(tmp_path: Path) -> None:
    world = World(tmp_path, ignoring)
    wishes: dict[str, Any] = {
        "availability_zone": "nova",
        "volume": {"size": 1, "type": "gold"},
        "nics": [{"net-id": "nowhere", "port-id": "p", "v4-fixed-ip": "192.168.0.9"}],
    }
    try:
        shown = world.get(f"/instances/{world.order(**wishes)}")["instance"]
    finally:
        world.close()
    fields = [each.partition(":")[0] for each in shown["unenforced"]]
    assert fields == ["availability_zone", "volume.type", "nics.network_id"]
    assert "availability_zone" not in shown


def statements_of(world: World, method: str, path: str, body: object = None) -> list[str]:
    """What one request executes in the metadata database, COMMIT and ROLLBACK included."""
    seen: list[str] = []
    engine = world.database.engine
    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": lambda c, cursor, statement, *_: seen.append(statement),
        "commit": lambda c: seen.append("COMMIT"),
    }
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        assert world.request(method, path, body).status_code < 300
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)
    return [each for each in seen if not each.startswith(("BEGIN", "PRAGMA"))]


def test_one_instance_is_read_with_one_statement(anywhere: World) -> None:
    source, replica = anywhere.built(), anywhere.order()
    with anywhere.database.begin() as session:
        session.execute(update(Instance).where(Instance.id == replica).values(replica_of=source))
    assert len(statements_of(anywhere, "GET", f"/instances/{source}")) == 1
    assert len(statements_of(anywhere, "GET", "/instances/detail")) == 1
    shown = anywhere.get(f"/instances/{source}")["instance"]
    assert [each["id"] for each in shown["replicas"]] == [replica]


def test_a_change_is_one_transaction(world: World) -> None:
    instance_id = world.built()
    change = {"instance": {"name": "new", "access": {"is_public": True}}}
    seen = statements_of(world, "PUT", f"/instances/{instance_id}", change)
    assert [each.split()[0] for each in seen] == ["SELECT", "INSERT", "UPDATE", "COMMIT"]


def test_the_datastore_says_how_to_connect(world: World) -> None:
    path = f"/instances/{world.order()}"
    shown = world.get(path)["instance"]["datastore"]
    assert (shown["client"], shown["url_scheme"]) == ("psql", "postgresql")
    assert shown["user_hosts"] is False


def test_an_instance_is_shown_without_the_package_of_its_datastore(world: World) -> None:
    path = f"/instances/{world.order()}"
    with world.database.begin() as session:
        session.execute(update(DatastoreVersion).values(manager="removed"))
    assert "client" not in world.get(path)["instance"]["datastore"]
