"""HEAD, OPTIONS and `Allow` over every path of the API."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, APIRouter

from trove.api.app import OF_TENANTS, PUBLIC
from trove.api.routes import identity
from trove.testing.world.api import RED, World

PUBLIC_PATHS = ("/", "/v1.0", "/healthcheck", "/metrics", "/openapi.json")
RED_TOKEN = {"X-Auth-Token": "red"}


def served(routers: tuple[APIRouter, ...], before: str) -> dict[str, set[str]]:
    """Methods by path, parameters filled in."""
    found: dict[str, set[str]] = defaultdict(set)
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = before + re.sub(r"\{[^}]*\}", "x", route.path)
            found[path] |= route.methods or set()
    return found


@pytest.mark.parametrize("path", PUBLIC_PATHS)
def test_public_paths_answer_head_and_options(world: World, path: str) -> None:
    get, head = (world.client.request(method, path) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    options = world.client.request("OPTIONS", path)
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused = world.client.request(method, path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_refused_method_names_all_that_are_allowed(world: World) -> None:
    tenants = served(OF_TENANTS, f"/v1.0/{RED}")
    public = served(PUBLIC, "")
    assert len(tenants) > 60
    for path, methods in (tenants | public).items():
        expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        # A path such as /instances/detail is one of /instances/{id} too.
        for method in ("TRACE", "OPTIONS"):
            answer = world.client.request(method, path, headers=RED_TOKEN)
            allowed = set(answer.headers["Allow"].split(", "))
            assert answer.status_code == (204 if method == "OPTIONS" else 405)
            assert allowed >= expected, path
    allowed = world.request("DELETE", "/instances").headers["Allow"]
    assert allowed == "GET, HEAD, POST, OPTIONS"
    assert world.request("DELETE", "/instances").json()["badMethod"]["code"] == 405


def test_head_is_answered_like_get(world: World) -> None:
    paths = [p for p, methods in served(OF_TENANTS, f"/v1.0/{RED}").items() if "GET" in methods]
    for path in paths:
        get = world.client.request("GET", path, headers=RED_TOKEN)
        head = world.client.request("HEAD", path, headers=RED_TOKEN)
        assert (head.status_code, head.content) == (get.status_code, b""), path


def test_methods_of_a_tenant_are_no_secret_but_need_a_token(world: World) -> None:
    for method in ("HEAD", "OPTIONS"):
        path = f"/v1.0/{RED}/instances"
        assert world.client.request(method, path).status_code == 401


def test_head_counts_as_get(tmp_path: Path) -> None:
    world = World(tmp_path, lambda s: replace(s, api=replace(s.api, http_get_rate=2)))
    try:
        codes = [
            world.request(method, "/flavors").status_code for method in ("HEAD", "GET", "HEAD")
        ]
        assert codes == [200, 200, 413]
    finally:
        world.close()


def test_the_identity_answers_head_and_names_its_methods(world: World) -> None:
    paths = served((identity.router,), "")
    for path in (p for p, methods in paths.items() if "GET" in methods):
        get = world.client.request("GET", path)
        head = world.client.request("HEAD", path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
    for path, methods in paths.items():
        refused = world.client.request("TRACE", path)
        assert refused.status_code == 405
        assert set(refused.headers["Allow"].split(", ")) >= methods
        assert refused.json()["error"]["title"] == "Method Not Allowed"
    assert world.client.request("HEAD", "/identity/v3").status_code == 200


def test_the_identity_refuses_what_it_has_not_in_keystones_shape(world: World) -> None:
    error = world.client.request("GET", "/identity/v3/groups").json()["error"]
    assert (error["code"], error["title"]) == (404, "Not Found")
    assert "trove-manage" in error["message"]
    elsewhere = world.client.request("GET", "/identities")
    assert (elsewhere.status_code, list(elsewhere.json())) == (404, ["itemNotFound"])
