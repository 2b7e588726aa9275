"""No project can read or change another project: every route, called by another tenant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from trove.api.routes.unserved import UNSERVED
from trove.testing.world.api import BLUE, PEOPLE, RED, World

METHODS = ("get", "post", "put", "patch", "delete")
PUBLIC = ("/", "/v1.0", "/healthcheck", "/metrics")

BODIES: dict[str, Any] = {
    "/instances": {"instance": {"name": "x", "flavorRef": "1", "volume": {"size": 1}}},
    "/instances/{instance_id}": {"instance": {"name": "stolen"}},
    "/instances/{instance_id}/action": {"restart": {}},
    "/instances/{instance_id}/databases": {"databases": [{"name": "mine"}]},
    "/instances/{instance_id}/users": {"users": [{"name": "ann", "password": "stolen"}]},
    "/instances/{instance_id}/users/{user}": {"user": {"password": "stolen"}},
    "/instances/{instance_id}/users/{user}/databases": {"databases": [{"name": "app"}]},
    "/operations/{operation_id}/action": {"cancel": {}},
    "/mgmt/instances/{instance_id}/action": {"stop": {}},
    "/mgmt/datastore-versions": {"version": {}},
    "/mgmt/quotas/{owner_id}": {"quotas": {"instances": 1}},
}


class Reds:
    """What the other project has."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.instance_id = world.built(
            name="reds-own",
            databases=[{"name": "app"}],
            users=[{"name": "ann", "password": "secret", "databases": [{"name": "app"}]}],
        )
        self.operation_id = world.get("/operations")["operations"][0]["id"]
        self.names = {
            "instance_id": self.instance_id,
            "operation_id": self.operation_id,
            "user": "ann",
            "name": "app",
            "database": "app",
            "owner_id": RED,
        }
        self.secrets = (self.instance_id, self.operation_id, "reds-own", RED, "rita")

    def state(self) -> Any:
        """Everything that another project must not change."""
        with self.world.database.session() as session:
            instance = session.execute(text("select * from instances")).all()
            tasks = session.execute(text("select id from tasks order by id")).all()
            operations = session.execute(text("select id, state from operations")).all()
        return str((instance, tasks, operations, [agent.accounts for agent in self.world.agents]))


@pytest.fixture(scope="module")
def reds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reds]:
    world = World(tmp_path_factory.mktemp("api"))
    yield Reds(world)
    world.close()


def routes(world: World) -> Iterator[tuple[str, str]]:
    """(method, path below the project) of every route, served or not."""
    for path, operations in world.app.openapi()["paths"].items():
        if path.startswith("/v1.0/"):
            below = path.removeprefix("/v1.0/{project_id}")
            yield from ((method.upper(), below) for method in METHODS if method in operations)
    for row in UNSERVED:
        yield from ((method, row.path) for method in row.methods.split())


def filled(reds: Reds, path: str) -> str:
    for name, value in reds.names.items():
        path = path.replace(f"{{{name}}}", value)
    return path.replace("{", "").replace("}", "")


def body_of(reds: Reds, method: str, path: str) -> Any:
    if method in {"GET", "DELETE"}:
        return None
    if (method, path) == ("POST", "/instances/{instance_id}/users/{user}"):
        path = "/instances/{instance_id}/users"
    return json.loads(json.dumps(BODIES.get(path, {})).replace("{instance_id}", reds.instance_id))


def test_there_are_routes_to_walk(reds: Reds) -> None:
    assert len(list(routes(reds.world))) > 90


def test_another_project_sees_and_changes_nothing(reds: Reds) -> None:
    before = reds.state()
    for method, path in routes(reds.world):
        if (method, path) == ("POST", "/instances"):
            continue
        answer = reds.world.request(
            method, filled(reds, path), body_of(reds, method, path), who="blue"
        )
        message = f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.status_code < 500 or answer.status_code == 501, message
        if "{instance_id}" in path or "{operation_id}" in path or "{owner_id}" in path:
            assert answer.status_code in {401, 403, 404}, message
        if answer.status_code < 300:
            assert not [secret for secret in reds.secrets if secret in answer.text], message
    assert reds.state() == before


def test_no_route_is_served_under_another_projects_path(reds: Reds) -> None:
    before = reds.state()
    for method, path in routes(reds.world):
        answer = reds.world.client.request(
            method,
            f"/v1.0/{RED}{filled(reds, path)}",
            json=body_of(reds, method, path),
            headers={"X-Auth-Token": "blue"},
        )
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
    assert reds.state() == before


@pytest.mark.parametrize("token", ["", "unknown", "nowhere"])
def test_no_route_is_served_without_a_valid_token(reds: Reds, token: str) -> None:
    expected = 403 if token in PEOPLE else 401
    for method, path in routes(reds.world):
        answer = reds.world.client.request(
            method,
            f"/v1.0/{RED}{filled(reds, path)}",
            json=body_of(reds, method, path),
            headers={"X-Auth-Token": token} if token else {},
        )
        message = f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.status_code == expected, message


def test_readers_change_nothing(reds: Reds) -> None:
    before = reds.state()
    for method, path in routes(reds.world):
        answer = reds.world.request(
            method, filled(reds, path), body_of(reds, method, path), who="red-reader"
        )
        message = f"{method} {path}: {answer.status_code} {answer.text}"
        if method != "GET":
            assert answer.status_code in {401, 403}, message
        elif not path.startswith("/mgmt/") or "quotas" in path:
            assert answer.status_code in {200, 400, 404, 501}, message
        else:
            assert answer.status_code == 401, message
    assert reds.state() == before


def test_management_is_for_administrators(reds: Reds) -> None:
    for method, path in routes(reds.world):
        if path.startswith("/mgmt/") and (method, path) != ("GET", "/mgmt/quotas/{owner_id}"):
            answer = reds.world.request(method, filled(reds, path), body_of(reds, method, path))
            assert answer.status_code == 401, f"{method} {path}: {answer.text}"
            assert "unauthorized" in answer.json()


def test_an_administrator_sees_every_project_in_management(reds: Reds) -> None:
    found = reds.world.get("/mgmt/instances", who="admin", params={"project_id": RED})
    assert [i["id"] for i in found["instances"]] == [reds.instance_id]
    assert found["instances"][0]["tenant_id"] == RED
    none = reds.world.get("/mgmt/instances", who="admin", params={"project_id": BLUE})
    assert none["instances"] == []
