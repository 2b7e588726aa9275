"""An accepted change names the operation that it started, and no other one."""

from __future__ import annotations

from typing import Any

import pytest

from trove.testing.world.api import World

HEADER = "X-Trove-Operation-Id"
ACTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("/instances", {"restart": {}}, "instance.restart"),
    ("/instances", {"resize": {"volume": {"size": 2}}}, "instance.resize_volume"),
    ("/instances", {"resize": {"flavorRef": "3"}}, "instance.resize_flavor"),
    ("/instances", {"reset_status": {"force_delete": True}, "force_delete": {}}, "instance.delete"),
    ("/mgmt/instances", {"stop": {}}, "instance.stop"),
    ("/mgmt/instances", {"reboot": {}}, "instance.reboot"),
]


def newest(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.get("/operations")["operations"][0]
    return found


@pytest.mark.parametrize(("below", "action", "workflow"), ACTIONS)
def test_an_action_names_its_operation(
    world: World, below: str, action: dict[str, Any], workflow: str
) -> None:
    path = f"{below}/{world.built()}/action"
    answer = world.request("POST", path, action, who="admin")
    assert answer.status_code == 202, answer.text
    assert (newest(world)["id"], newest(world)["workflow"]) == (answer.headers[HEADER], workflow)


def test_a_deletion_names_the_one_that_goes_on(world: World) -> None:
    path = f"/instances/{world.built()}"
    first, second = world.request("DELETE", path), world.request("DELETE", path)
    assert first.headers[HEADER] == second.headers[HEADER] == newest(world)["id"]


def test_what_starts_no_operation_names_none(world: World) -> None:
    path = f"/instances/{world.built()}"
    for change in ({"access": {"is_public": True}}, {"configuration": None}, {}):
        assert HEADER not in world.request("PUT", path, {"instance": change}).headers
    reset = world.request("POST", f"{path}/action", {"reset_status": {}}, who="admin")
    assert (reset.status_code, HEADER in reset.headers) == (202, False)
    databases = {"databases": [{"name": "app"}]}
    assert HEADER not in world.request("POST", f"{path}/databases", databases).headers


def test_an_order_names_its_operation_in_the_body(world: World) -> None:
    order = {"name": "db", "flavorRef": "2", "volume": {"size": 1}}
    shown = world.request("POST", "/instances", {"instance": order}).json()["instance"]
    assert shown["operation_id"] == newest(world)["id"]
