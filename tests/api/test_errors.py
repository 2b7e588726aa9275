"""Each row of the error table: its number, its name, a message that names the field, and nothing
left behind."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from psycopg.errors import DiskFull
from sqlalchemy import func, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from trove.api.errors import answer_to
from trove.models import Instance, Operation, QuotaUsage, Task
from trove.testing.world.api import RED, World

GOOD: dict[str, Any] = {"name": "db", "flavorRef": "2", "volume": {"size": 1}}


def left_behind(world: World) -> tuple[int, int, int]:
    with world.database.session() as session:
        rows = [session.scalar(select(func.count()).select_from(t)) for t in (Instance, Operation)]
        used = session.scalar(select(func.sum(QuotaUsage.in_use))) or 0
    return (rows[0] or 0, rows[1] or 0, used)


ORDERS: list[tuple[dict[str, Any], int, str]] = [
    ({"name": ""}, 400, "name"),
    ({"name": "x" * 256}, 400, "name"),
    ({"name": "---"}, 400, "name"),
    ({"name": 7}, 400, "name"),
    ({"name": None}, 400, "name"),
    ({"flavorRef": None}, 400, "flavorRef"),
    ({"flavorRef": "no-such"}, 400, "flavorRef"),
    ({"flavorRef": True}, 400, "flavorRef"),
    ({"volume": None}, 400, "volume"),
    ({"volume": {"size": 0}}, 400, "volume.size"),
    ({"volume": {"size": -1}}, 400, "volume.size"),
    ({"volume": {"size": "much"}}, 400, "volume.size"),
    ({"volume": {"size": True}}, 400, "volume.size"),
    ({"volume": {"size": 1.5}}, 400, "volume.size"),
    ({"volume": {"size": 11}}, 413, "volume.size"),
    ({"volume": {"size": 10**30}}, 400, "volume.size"),
    ({"datastore": {"type": "oracle"}}, 400, "datastore"),
    ({"datastore": {"type": "mariadb", "version": "3"}}, 400, "datastore.version"),
    ({"databases": [{"name": "a"}, {"name": "a"}]}, 400, "databases"),
    ({"databases": [{"name": "postgres"}]}, 400, "databases"),
    ({"databases": [{"name": "x" * 64}]}, 400, "databases"),
    ({"databases": [{}]}, 400, "databases.0.name"),
    ({"databases": "app"}, 400, "databases"),
    ({"users": [{"name": "ann"}]}, 400, "users.0.password"),
    ({"users": [{"name": "postgres", "password": "p"}]}, 400, "users"),
    ({"users": [{"name": "a", "password": "p", "databases": [{"name": "no"}]}]}, 400, "users"),
    ({"users": [{"name": "a", "password": "p"}] * 2}, 400, "users"),
    ({"nics": [{"network_id": "a"}] * 17}, 400, "nics"),
    ({"nics": [{"net-id": "a", "zone": "b"}]}, 400, "nics"),
    ({"nics": [{"v4-fixed-ip": "x.y"}]}, 400, "nics"),
    ({"nics": [{"net-id": "nowhere"}]}, 400, "nics"),
    ({"region_name": "Mars"}, 400, "region_name"),
    ({"access": {"allowed_cidrs": ["10.0.0.0/33"]}}, 400, "allowed_cidrs"),
    ({"access": {"allowed_cidrs": ["::/0"]}}, 400, "allowed_cidrs"),
    ({"access": {"allowed_cidrs": ["10.0.0.0/8", "10.0.0.0/8"]}}, 400, "allowed_cidrs"),
    ({"access": {"is_public": "yes"}}, 400, "is_public"),
    ({"locality": "near"}, 400, "locality"),
    ({"restorePoint": {"backupRef": "b-1"}}, 404, "restorePoint"),
    ({"volume": {"size": 1, "type": "gold"}}, 400, "volume.type"),
    ({"replica_count": True}, 400, "replica_count"),
    ({"replica_count": 2}, 400, "replica_count"),
    ({"replica_count": 1.5}, 400, "replica_count"),
    ({"replica_of": "i-1", "replica_count": 2}, 501, "replica_of"),
    ({"flavorRef": None, "flavor": {}}, 400, "openstacksdk"),
    ({"flavorRef": {"links": [None]}}, 400, "flavorRef"),
    ({"flavorRef": {"links": []}}, 400, "flavorRef"),
    ({"flavorRef": 2.5}, 400, "flavorRef"),
    ({"replica_of": "i-1"}, 501, "replica_of"),
    ({"slave_of": "i-1"}, 501, "replica_of"),
    ({"configuration": "c-1"}, 404, "configuration"),
    ({"modules": [{"id": "m-1"}]}, 404, "modules"),
    ({"name": "\ud800"}, 400, "name"),
]
NAMES = {400: "badRequest", 404: "itemNotFound", 413: "overLimit", 501: "notImplemented"}


@pytest.mark.parametrize(("change", "code", "field"), ORDERS)
def test_a_bad_order_is_refused(
    world: World, change: dict[str, Any], code: int, field: str
) -> None:
    import json

    body = json.dumps({"instance": GOOD | {"datastore": {"type": "postgresql"}} | change})
    answer = world.request("POST", "/instances", content=body)
    assert answer.status_code == code, answer.text
    error = answer.json()[NAMES[code]]
    assert error["code"] == code
    assert field in error["message"]
    assert left_behind(world) == (0, 0, 0)


@pytest.mark.parametrize(
    ("content", "headers", "code", "name"),
    [
        ("{", {}, 400, "badRequest"),
        ("", {}, 400, "badRequest"),
        ("[]", {}, 400, "badRequest"),
        ("{}", {}, 400, "badRequest"),
        ("<a/>", {"Content-Type": "application/xml"}, 415, "badMediaType"),
        ("{}", {"Accept": "text/html"}, 406, "notAcceptable"),
        ("{}", {"Accept": "application/vnd.openstack.trove+json;version=9.0"}, 406, "notAccept"),
        ("x" * (1024 * 1024 + 1), {}, 413, "overLimit"),
    ],
)
def test_a_malformed_request_is_refused(
    world: World, content: str, headers: dict[str, str], code: int, name: str
) -> None:
    answer = world.request("POST", "/instances", content=content, headers=headers)
    assert answer.status_code == code, answer.text
    assert name in answer.text
    assert left_behind(world) == (0, 0, 0)


def test_a_body_without_a_known_length_is_limited_too(world: World) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 65536

    answer = world.request("POST", "/instances", content=chunks())
    assert (answer.status_code, list(answer.json())) == (413, ["overLimit"])


def test_quota_excess_is_refused_and_leaves_nothing(world: World) -> None:
    world.request("PUT", f"/mgmt/quotas/{RED}", {"quotas": {"instances": 1}}, who="admin")
    world.order()
    before = left_behind(world)
    answer = world.request("POST", "/instances", {"instance": GOOD})
    assert answer.status_code == 413
    assert "instances" in answer.json()["overLimit"]["message"]
    assert left_behind(world) == before


def test_a_busy_instance_is_left_alone(world: World) -> None:
    instance_id = world.order()
    actions: tuple[Any, ...] = ({"restart": {}}, {"resize": {"volume": {"size": 2}}})
    for action in actions:
        answer = world.request("POST", f"/instances/{instance_id}/action", action)
        assert (answer.status_code, list(answer.json())) == (422, ["unprocessableEntity"])
        assert instance_id in answer.text
    for path in ("databases", "users", "root"):
        assert world.request("GET", f"/instances/{instance_id}/{path}").status_code == 422


ACTIONS: list[tuple[Any, int, str]] = [
    ({}, 400, "exactly one"),
    ({"fly": {}}, 400, "fly"),
    ({"restart": {}, "resize": {"flavorRef": "1"}}, 400, "exactly one"),
    ({"restart": []}, 400, "restart"),
    ({"resize": {}}, 400, "resize"),
    ({"resize": None}, 400, "resize: must be an object"),
    ({"resize": {"flavorRef": "1", "volume": {"size": 2}}}, 400, "resize"),
    ({"resize": {"flavorRef": "none"}}, 400, "flavorRef"),
    ({"resize": {"flavorRef": "2"}}, 400, "flavorRef"),
    ({"resize": {"volume": {"size": 1}}}, 400, "volume.size"),
    ({"resize": {"volume": {"size": 0}}}, 400, "volume.size"),
    ({"resize": {"volume": {"size": 99}}}, 413, "volume.size"),
    ({"promote_to_replica_source": {}}, 400, "replica"),
    ({"eject_replica_source": {}}, 400, "replicas"),
    ({"reset_status": {}}, 403, "reset_status"),
]


def test_bad_actions_are_refused(world: World) -> None:
    instance_id = world.built()
    before = left_behind(world)
    for body, code, message in ACTIONS:
        answer = world.request("POST", f"/instances/{instance_id}/action", body)
        assert answer.status_code == code, (body, answer.text)
        assert message in answer.text
    assert left_behind(world) == before


CHANGES: list[tuple[Any, int, str]] = [
    ({"colour": "red"}, 400, "colour"),
    ({"configuration": "c", "access": {}, "name": "other"}, 404, "configuration"),
    ({"name": "other", "slave_of": None}, 400, "replica"),
    ({"configuration_id": "c-1"}, 404, "configuration"),
    ({"id": "i", "configuration": {"id": "c-1", "links": []}}, 404, "configuration"),
    ({"configuration": "c-1"}, 404, "configuration"),
    ({"replica_of": None}, 400, "replica"),
    ({"datastore_version": "99"}, 501, "move the data with the engine"),
    ({"name": ""}, 400, "name"),
]


def test_bad_changes_are_refused_and_good_ones_made(world: World) -> None:
    instance_id = world.built()
    for change, code, message in CHANGES:
        answer = world.request("PATCH", f"/instances/{instance_id}", {"instance": change})
        assert answer.status_code == code, (change, answer.text)
        assert message in answer.text
        assert world.get(f"/instances/{instance_id}")["instance"]["name"] == "db"
    access = {"is_public": True, "allowed_cidrs": ["10.0.0.0/8"]}
    for change in ({"name": "new"}, {"access": access}, {}, {"configuration": None}):
        answer = world.request("PUT", f"/instances/{instance_id}", {"instance": change})
        assert (answer.status_code, answer.content) == (202, b"")
        assert answer.headers["content-type"] == "application/json"
    shown = world.get(f"/instances/{instance_id}")["instance"]
    assert (shown["name"], shown["access"]) == ("new", access)
    assert shown["addresses"][0]["type"] == "public"


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "\u0663"])
def test_a_bad_limit_is_refused(world: World, limit: str) -> None:
    answer = world.request("GET", "/instances", params={"limit": limit})
    assert (answer.status_code, "limit" in answer.text) == (400, True)


def test_an_unknown_marker_is_not_found(world: World) -> None:
    assert world.request("GET", "/instances", params={"marker": "none"}).status_code == 404


def test_unknown_routes_methods_and_characters(world: World) -> None:
    assert list(world.request("GET", "/nowhere").json()) == ["itemNotFound"]
    answer = world.request("DELETE", "/limits")
    assert (answer.status_code, list(answer.json())) == (405, ["badMethod"])
    assert world.request("GET", "/instances/a%00b").status_code == 400
    assert world.request("GET", "/instances?marker=%00").status_code == 400


def test_too_many_requests_get_a_retry_after(tmp_path: Any) -> None:
    world = World(tmp_path, lambda s: replace(s, api=replace(s.api, http_get_rate=2)))
    try:
        first = world.request("GET", "/limits")
        assert first.headers["x-ratelimit-remaining"] == "1"
        rows = first.json()["limits"]
        assert rows[0]["verb"] == "ABSOLUTE"
        assert [r["remaining"] for r in rows if r["verb"] == "GET"] == [1]
        world.request("GET", "/limits")
        refused = world.request("GET", "/limits")
        assert refused.status_code == 413
        assert refused.json()["overLimit"]["retryAfter"] == int(refused.headers["retry-after"])
        assert world.request("GET", "/limits", who="blue").status_code == 200
    finally:
        world.close()


def test_every_answer_bears_an_id_and_an_unforeseen_error_is_opaque(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trove.services import flavors

    def broken(inst: Any) -> None:
        raise RuntimeError("an internal secret")

    monkeypatch.setattr(flavors, "flavors", broken)
    answer = world.request("GET", "/flavors")
    assert (answer.status_code, list(answer.json())) == (500, ["instanceFault"])
    assert "secret" not in answer.text
    assert answer.headers["x-openstack-request-id"] in answer.text
    assert world.request("GET", "/nowhere").headers["x-openstack-request-id"].startswith("req-")


def test_a_metadata_database_that_does_not_answer_is_503(world: World) -> None:
    with world.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE operations RENAME TO elsewhere")
    answer = world.request("GET", "/operations")
    assert answer.status_code == 503
    assert "retry-after" not in answer.headers, "python-troveclient takes it beside 413 alone"


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (IntegrityError, 409, "conflict"),
        (DataError, 400, "badRequest"),
        (OperationalError, 503, "serviceUnavailable"),
    ],
)
def test_what_the_metadata_database_refuses_is_not_its_silence(
    error: type[DBAPIError], status: int, name: str
) -> None:
    answer = answer_to(error("INSERT secret", None, Exception("secret")), "req-1")
    assert (answer.status, list(json.loads(answer.body))) == (status, [name])
    assert b"secret" not in answer.body


def test_a_full_disk_has_its_own_error() -> None:
    answer = answer_to(OperationalError("", None, DiskFull()), "req-1")
    assert (answer.status, b"is full; make room" in answer.body) == (503, True)


def test_tasks_are_not_left_by_refused_account_changes(world: World) -> None:
    instance_id = world.built()
    with world.database.session() as session:
        before = session.scalar(select(func.count()).select_from(Task))
    bad = {"databases": [{"name": "postgres"}]}
    assert world.request("POST", f"/instances/{instance_id}/databases", bad).status_code == 400
    with world.database.session() as session:
        assert session.scalar(select(func.count()).select_from(Task)) == before
