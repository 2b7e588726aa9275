"""Whatever stands in a path or a query, the answer is one of the request's fault, never of ours."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trove.api.app import OF_TENANTS
from trove.testing.world.api import RED, World

VALUES = (
    "9" * 5000,
    "0" * 20 + "9" * 30,
    "9223372036854775808",
    "18446744073709551616",
    "-1",
    "0",
    "1e400",
    "²",
    "٣",
    "𝟛",
    " 1",
    "%",
    "%00",
    "\U0010ffff",
    "\ue02f",
    "../..",
    "a" * 3000,
    "x@y@%",
    "'; DROP TABLE instances; --",
)
LISTS = (
    "/instances",
    "/instances/detail",
    "/operations",
    "/events",
    "/mgmt/instances",
    "/instances/{id}/databases",
    "/instances/{id}/users",
)
FILTERS = ("limit", "marker", "instance_id", "operation_id", "kind", "since", "state", "workflow")
PATHS = sorted(
    (method, re.sub(r"\{instance_id\}", "{id}", route.path))
    for router in OF_TENANTS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in (route.methods or set()) & {"GET", "DELETE"}
)


def send(world: World, method: str, path: str, **query: str) -> Any:
    return world.request(method, path, who="admin", params=query or None)


def is_answered(answer: Any) -> bool:
    # 501 and 503 are said on purpose; 503 would hide a driver's error here, so it is none.
    return bool(answer.status_code < 500 or answer.status_code == 501)


@pytest.mark.parametrize("path", LISTS)
def test_no_marker_limit_or_filter_fails_the_server(world: World, path: str) -> None:
    path = path.replace("{id}", world.built())
    for value in VALUES:
        for name in FILTERS:
            answer = send(world, "GET", path, **{name: value})
            assert is_answered(answer), (name, value[:30], answer.text)


def test_no_id_in_a_path_fails_the_server(world: World) -> None:
    instance_id = world.built()
    for method, path in PATHS:
        for value in VALUES:
            filled = path.replace("{id}", instance_id if method == "GET" else value)
            filled = re.sub(r"\{[^}]*\}", "{}", filled).replace("{}", quote(value, safe=""))
            answer = send(world, method, filled)
            assert is_answered(answer), (method, path, value[:30], answer.text)


@pytest.mark.parametrize("marker", [v for v in VALUES if v != "0"])
def test_a_marker_that_is_no_id_of_an_event_is_refused(world: World, marker: str) -> None:
    answer = world.request("GET", "/events", params={"marker": marker})
    assert (answer.status_code, "marker" in answer.text) == (400, True)
    assert world.request("GET", "/events", params={"marker": "1"}).status_code == 200


def test_a_length_with_thousands_of_digits_is_too_large(world: World) -> None:
    headers = {"Content-Length": "9" * 5000}
    for path in (f"/v1.0/{RED}/instances", "/identity/v3/auth/tokens"):
        answer = world.client.request(
            "POST", path, content=b"", headers=headers | {"X-Auth-Token": "red"}
        )
        assert answer.status_code == 413


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_text_is_a_value_that_is_answered(world: World, text: str) -> None:
    for path in LISTS[:5]:
        for name in ("limit", "marker"):
            assert is_answered(send(world, "GET", path, **{name: text}))
    assert is_answered(send(world, "GET", f"/instances/{quote(text, safe='')}"))
