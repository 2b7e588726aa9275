"""What this release does not serve: empty lists, 404 for single resources, 501 for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trove.api.routes.unserved import UNSERVED
from trove.testing.world.api import World

ROUTES = [(method, row.path) for row in UNSERVED for method in row.methods.split()]
EMPTY = {
    "/backups": {"backups": []},
    "/backup_strategies": {"backup_strategies": []},
    "/configurations": {"configurations": []},
    "/modules": {"modules": []},
    "/clusters": {"clusters": []},
    "/mgmt/clusters": {"clusters": []},
    "/security-groups": {"security_groups": []},
    "/instances/{instance_id}/backups": {"backups": []},
    "/instances/{instance_id}/modules": {"modules": []},
    "/instances/{instance_id}/metadata": {"metadata": {}},
    "/datastores/{datastore}/versions/{version}/parameters": {"configuration-parameters": []},
    "/datastores/versions/{version}/parameters": {"configuration-parameters": []},
}
REFUSED = [
    ("POST", "/backups", "the address that `trove url INSTANCE` prints"),
    ("POST", "/backup_strategies", "dump the data"),
    ("POST", "/configurations", "follow from the instance's flavor"),
    ("POST", "/clusters", "Clusters are not supported"),
    ("POST", "/modules", "Modules are not supported"),
    ("POST", "/instances/{instance_id}/modules", "Modules are not supported"),
    ("GET", "/instances/{instance_id}/log", "logs"),
    ("POST", "/instances/{instance_id}/log", "logs"),
    ("POST", "/instances/{instance_id}/ssl", "TLS is always on"),
    ("PATCH", "/instances/{instance_id}/metadata/{key}", "under the instance's id"),
    ("GET", "/instances/{instance_id}/databases/{name}", "list them"),
    ("POST", "/security-group-rules", "the instance's access"),
    ("GET", "/mgmt/datastores/versions/{version}/parameters", "the instance's flavor"),
    ("POST", "/mgmt/datastores/versions/{version}/parameters", "the instance's flavor"),
    ("GET", "/mgmt/datastores/versions/{version}/parameters/{name}", "the instance's flavor"),
    ("PUT", "/mgmt/datastores/versions/{version}/parameters/{name}", "the instance's flavor"),
    ("DELETE", "/mgmt/datastores/versions/{version}/parameters/{name}", "the instance's flavor"),
    ("GET", "/mgmt/hosts", "infrastructure"),
    ("GET", "/mgmt/hosts/{host}", "infrastructure"),
    ("GET", "/mgmt/storage", "infrastructure"),
    ("GET", "/mgmt/accounts", "/mgmt/instances"),
    ("GET", "/mgmt/accounts/{account}", "/mgmt/instances"),
]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, str]]]:
    world = World(tmp_path_factory.mktemp("api"))
    version = world.version_id("mariadb")
    yield world, {"instance_id": world.order(), "datastore": "mariadb", "version": version}
    world.close()


def request(names: tuple[World, dict[str, str]], method: str, path: str, **known: str) -> Any:
    world, own = names
    for name, value in (own | known).items():
        path = path.replace(f"{{{name}}}", value)
    who = "admin" if path.startswith("/mgmt/") else "red"
    body: Any = {} if method in {"POST", "PUT", "PATCH"} else None
    return world.request(method, path.replace("{", "").replace("}", ""), body, who=who)


@pytest.mark.parametrize(("path", "body"), EMPTY.items())
def test_lists_are_empty(names: Any, path: str, body: dict[str, Any]) -> None:
    answer = request(names, "GET", path)
    assert (answer.status_code, answer.json()) == (200, body)


@pytest.mark.parametrize(("method", "path", "text"), REFUSED)
def test_refusals_say_what_to_do(names: Any, method: str, path: str, text: str) -> None:
    answer = request(names, method, path)
    assert answer.status_code == 501, answer.text
    assert text in answer.json()["notImplemented"]["message"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_single_resources_do_not_exist(names: Any, method: str, path: str) -> None:
    """Every route is an empty list, a refusal, a deletion of nothing, or 404 with the name."""
    if (method == "GET" and path in EMPTY) or any(path == row[1] for row in REFUSED):
        return
    answer = request(names, method, path)
    if (method, path) == ("DELETE", "/backup_strategies"):
        assert (answer.status_code, answer.content) == (202, b"")
        return
    assert answer.status_code in {404, 501}, answer.text
    if answer.status_code == 404:
        assert "could not be found" in answer.json()["itemNotFound"]["message"]


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if "instance_id" in r[1]])
def test_an_unknown_instance_is_reported_first(names: Any, method: str, path: str) -> None:
    answer = request(names, method, path, instance_id="none")
    assert (answer.status_code, "'none'" in answer.text) == (404, True)


def test_an_unknown_version_is_reported_first(names: Any) -> None:
    answer = request(names, "GET", "/datastores/versions/{version}/parameters", version="none")
    assert answer.status_code == 400
    assert "none" in answer.text


def test_they_are_not_in_the_document(names: Any) -> None:
    world, _ = names
    served = {path.removeprefix("/v1.0/{project_id}") for path in world.app.openapi()["paths"]}
    gets = {row.path for row in UNSERVED} & served
    assert gets <= {"/instances/{instance_id}/ssl", "/instances/{instance_id}/databases/{name}"}
