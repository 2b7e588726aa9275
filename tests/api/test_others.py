"""Datastores, flavors, quotas, operations, events, TLS, management and the service's own routes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from trove.providers.fake.catalog import NO_IMAGE
from trove.services.authority import CERTIFICATE_LIFETIME, load_authority
from trove.testing.world.api import BLUE, RED, World


def refused(answer: Any, code: int, message: str) -> None:
    assert answer.status_code == code, answer.text
    assert message in answer.text


def test_the_versions_document_is_public(world: World) -> None:
    listed = world.client.request("GET", "/").json()["versions"][0]
    assert (listed["id"], listed["links"][0]["href"]) == ("v1.0", "http://trove.test:8779/v1.0/")
    for path in ("/v1.0", "/v1.0/"):
        assert world.client.request("GET", path).json() == {"version": listed}
    assert world.client.request("GET", "/healthcheck").json() == {"status": "ok"}


def test_an_unversioned_path_may_name_its_version_in_accept(world: World) -> None:
    for version in ("", ";version=1.0"):
        answer = world.client.request(
            "GET",
            f"/{RED}/instances",
            headers={
                "X-Auth-Token": "red",
                "Accept": f"application/vnd.openstack.trove+json{version}",
            },
        )
        assert answer.json() == {"instances": []}


def test_links_show_the_public_endpoint(tmp_path: Path) -> None:
    world = World(
        tmp_path, lambda s: replace(s, api=replace(s.api, public_endpoint="https://db.test/v1.0/"))
    )
    try:
        href = world.get("/flavors/1")["flavor"]["links"][0]["href"]
        assert href == f"https://db.test/v1.0/{RED}/flavors/1"
    finally:
        world.close()


def test_pages_of_instances_go_round(world: World) -> None:
    ids = [world.order(name=f"db-{n}") for n in range(3)]
    first = world.get("/instances", params={"limit": 2, "include_clustered": "False"})
    assert [i["id"] for i in first["instances"]] == [ids[2], ids[1]]
    href = first["instances_links"][0]["href"]
    assert href.startswith(f"http://trove.test:8779/v1.0/{RED}/instances?include_clustered=False")
    rest = world.client.request("GET", href, headers={"X-Auth-Token": "red"}).json()
    assert [i["id"] for i in rest["instances"]] == [ids[0]]
    assert "links" not in rest
    details = world.get("/instances/detail", params={"limit": 500})["instances"]
    assert "created" in details[0] and "Z" not in details[0]["created"]


def test_datastores_are_found_by_id_and_name(world: World) -> None:
    listed = world.get("/datastores")["datastores"]
    assert [(d["name"], d["default"]) for d in listed] == [("mariadb", False), ("postgresql", True)]
    shown = world.get("/datastores/mariadb")["datastore"]
    assert shown["default_version"] in {v["id"] for v in shown["versions"]}
    version_id = shown["default_version"]
    for path in (f"versions/{version_id}", "mariadb/versions/10.11", "mariadb/versions/10.11.19"):
        assert world.get(f"/datastores/{path}")["version"]["id"] == version_id
    assert len(world.get(f"/datastores/{shown['id']}/versions")["versions"]) == 1
    base = "/datastores/mariadb/versions/10.11"
    assert {f["id"] for f in world.get(f"{base}/flavors")["flavors"]} == {1, 2, 3}
    assert world.get(f"{base}/volume-types")["volume_types"][0]["name"] == "fake"
    refused(world.request("GET", "/datastores/none"), 404, "none")
    refused(world.request("GET", "/datastores/mariadb/versions/1"), 400, "'1'")
    refused(world.request("GET", "/datastores/versions/none"), 400, "none")


def test_operators_manage_versions(world: World) -> None:
    base = "/mgmt/datastore-versions"
    new = {
        "name": "16",
        "datastore_name": "pg",
        "datastore_manager": "postgresql",
        "image": "/usr/lib/postgresql/16/bin",
        "active": False,
        "default": True,
    }

    def as_admin(method: str, path: str, body: Any = None) -> Any:
        return world.request(method, path, body, who="admin")

    assert as_admin("POST", base, {"version": new}).status_code == 202
    refused(as_admin("POST", base, {"version": new}), 400, "already")
    refused(as_admin("POST", base, {"version": new | {"datastore_manager": "no"}}), 400, "manager")
    refused(as_admin("POST", base, {"version": new | {"image": None, "name": "17"}}), 400, "image")
    refused(as_admin("POST", base, {"version": new | {"colour": "red"}}), 400, "colour")
    absent = new | {"name": "17", "image": NO_IMAGE}
    refused(as_admin("POST", base, {"version": absent}), 400, "image: there is no image")
    second = new | {"name": "17", "image_tags": ["17"], "version": "17.1", "default": False}
    assert as_admin("POST", base, {"version": second}).status_code == 202
    rows = {v["name"]: v for v in world.get(base, who="admin")["versions"]}
    assert rows["16"]["default"] is True and rows["17"]["version"] == "17.1"
    one = f"{base}/{rows['16']['id']}"
    refused(world.request("GET", "/datastores/pg"), 404, "pg")
    assert "pg" not in [d["name"] for d in world.get("/datastores")["datastores"]]
    refused(as_admin("DELETE", "/datastores/pg"), 400, "has versions")
    assert (
        as_admin("PATCH", one, {"active": True, "default": False, "name": "16"}).status_code == 202
    )
    refused(as_admin("PATCH", one, {"datastore_manager": "no"}), 400, "manager")
    refused(as_admin("PATCH", one, {"image": NO_IMAGE}), 400, "image: there is no image")
    assert (
        as_admin("PATCH", one, {"name": "sixteen", "datastore_manager": "postgresql"}).status_code
        == 202
    )
    shown = world.get(one, who="admin")["version"]
    assert (shown["name"], shown["active"], shown["default"]) == ("sixteen", True, False)
    assert "default_version" not in world.get("/datastores/pg")["datastore"]
    assert as_admin("PATCH", one, {"default": True}).status_code == 202
    for version in rows.values():
        if version["datastore_name"] == "pg":
            assert as_admin("DELETE", f"{base}/{version['id']}").status_code == 202
    refused(as_admin("DELETE", one), 400, "could not be found")
    assert as_admin("DELETE", "/datastores/pg").status_code == 202
    refused(world.request("DELETE", "/datastores/mariadb"), 403, "datastore:delete")
    world.order(datastore={"type": "mariadb"})
    refused(as_admin("DELETE", f"{base}/{world.version_id('mariadb')}"), 400, "1 instance(s)")


def test_flavors_and_volume_types(world: World) -> None:
    shown = world.get("/flavors/2")["flavor"]
    assert (shown["id"], shown["str_id"], shown["ram"]) == (2, "2", 512)
    assert len(world.get("/flavors")["flavors"]) == 3
    refused(world.request("GET", "/flavors/none"), 404, "none")
    assert world.get("/volume-types")["volume_types"][0]["id"] == "fake"
    assert world.get("/volume-types/fake")["volume_type"]["is_public"] is True
    refused(world.request("GET", "/volume-types/none"), 404, "none")
    assert world.order(volume={"size": 1, "type": "fake"})


def test_quotas_are_seen_by_their_owner_and_set_by_operators(world: World) -> None:
    world.order()
    rows = {q["resource"]: q for q in world.get(f"/mgmt/quotas/{RED}")["quotas"]}
    assert (rows["instances"]["in_use"], rows["instances"]["limit"]) == (1, 10)
    refused(world.request("GET", f"/mgmt/quotas/{BLUE}"), 403, "quotas")
    path = f"/mgmt/quotas/{BLUE}"
    body = {"quotas": {"instances": 3, "ram": None}}
    refused(world.request("PUT", path + "x" * 64, body, who="admin"), 400, "project_id")
    answer = world.request("PUT", path, body, who="admin")
    assert answer.json() == {"quotas": {"instances": 3}}
    assert world.get(path, who="admin")["quotas"][0]["limit"] == 3
    refused(world.request("PUT", path, {"quotas": {"cows": 1}}, who="admin"), 404, "cows")
    refused(world.request("PUT", path, {"quotas": {"ram": -2}}, who="admin"), 400, "ram")
    refused(world.request("PUT", path, {"quotas": {"ram": True}}, who="admin"), 400, "ram")


def test_operations_are_watched_and_cancelled(world: World) -> None:
    instance_id = world.order()
    listed = world.get("/operations", params={"instance_id": instance_id})["operations"]
    operation_id = listed[0]["id"]
    path = f"/operations/{operation_id}"
    assert [s["state"] for s in listed[0]["steps"]][:2] == ["running", "pending"]
    assert listed[0]["can_be_cancelled"] is True
    refused(world.request("POST", f"{path}/action", {}), 400, "cancel")
    assert world.request("POST", f"{path}/action", {"cancel": {}}).status_code == 202
    assert world.get(path)["operation"]["state"] == "undoing"
    world.settle()
    shown = world.get(path)["operation"]
    assert (shown["state"], shown["step"]) == ("cancelled", shown["steps"][0]["name"])
    steps = [s["state"] for s in shown["steps"]]
    assert (steps[0], set(steps[1:])) == ("cancelled", {"pending"})
    refused(world.request("POST", f"{path}/action", {"cancel": {}}), 409, "nothing to cancel")
    refused(world.request("GET", "/operations/none"), 404, "none")
    fault = world.get(f"/instances/{instance_id}")["instance"]["fault"]
    assert fault["details"] is None


def test_operations_are_filtered_and_paged(world: World) -> None:
    world.built()
    world.order()
    assert len(world.get("/operations", params={"state": "active"})["operations"]) == 1
    done = world.get("/operations", params={"state": "succeeded"})["operations"]
    assert {s["state"] for s in done[0]["steps"]} == {"done"}
    assert world.get("/operations", params={"workflow": "instance.delete"})["operations"] == []
    refused(world.request("GET", "/operations", params={"state": "odd"}), 400, "state")
    first = world.get("/operations", params={"limit": 1})
    marker = first["operations"][0]["id"]
    second = world.get("/operations", params={"limit": 1, "marker": marker})
    assert second["operations"][0]["id"] == done[0]["id"]
    assert "operations_links" in first and "operations_links" not in second


def test_events_are_filtered_and_paged(world: World) -> None:
    instance_id = world.built()
    kinds = [e["kind"] for e in world.get("/events", params={"instance_id": instance_id})["events"]]
    assert "instance.create.start" in kinds
    first = world.get("/events", params={"limit": 1})
    marker = first["events"][0]["id"]
    assert first["events_links"]
    rest = world.get("/events", params={"marker": marker})["events"]
    assert marker not in [e["id"] for e in rest]
    assert world.get("/events", params={"kind": "instance.create"})["events"]
    assert world.get("/events", params={"kind": "inst"})["events"] == []
    assert world.get("/events", params={"since": "2100-01-01T00:00:00"})["events"] == []
    assert world.get("/events", params={"since": "2000-01-01T00:00:00+02:00"})["events"]
    operation_id = world.get("/operations")["operations"][0]["id"]
    assert world.get("/events", params={"operation_id": operation_id})["events"]
    assert world.get("/events", who="blue", params={"all_projects": True})["events"] == []
    assert world.get("/events", who="admin", params={"all_projects": True})["events"]
    refused(world.request("GET", "/events", params={"marker": "x"}), 400, "marker")
    refused(world.request("GET", "/events", params={"marker": "9" * 30}), 400, "marker")
    far = {"since": "0001-01-01T00:00:00+14:00"}
    refused(world.request("GET", "/events", params=far), 400, "since")


def test_tls_is_on_and_the_authority_is_handed_out(world: World) -> None:
    instance_id = world.built()
    shown = world.get(f"/instances/{instance_id}/ssl")["ssl"]
    assert (shown["status"], "authority" in shown["certificate"]) == ("on", False)
    path = f"/instances/{instance_id}/ssl?include_certificate=True"
    pem = world.get(path)["ssl"]["certificate"]["authority"]
    answer = world.get("/certificate-authority")
    assert answer == {"certificate_authority": {"certificate": pem}}
    assert pem.startswith("-----BEGIN CERTIFICATE-----")


def test_the_certificate_of_an_instance_is_shown_with_its_expiry(world: World) -> None:
    instance_id = world.built()
    path = f"/instances/{instance_id}/ssl"
    whole = {"include_certificate": "True"}
    # An agent of the first release has a certificate that was not kept.
    assert world.get(path)["ssl"]["certificate"]["expire_at"] is None
    assert "payload" not in world.get(path, params=whole)["ssl"]["certificate"]
    now = datetime(2030, 1, 2, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    authority = load_authority(world.settings.authority)
    signed = authority.sign(csr.public_bytes(Encoding.PEM).decode(), instance_id, None, now=now)
    world.change_agent(instance_id, certificate=signed)
    shown = world.get(path)["ssl"]["certificate"]
    assert shown["expire_at"] == (now + CERTIFICATE_LIFETIME).strftime("%Y-%m-%dT%H:%M:%S")
    assert shown["cn"] in shown["san"]
    assert "payload" not in shown
    assert world.get(path, params=whole)["ssl"]["certificate"]["payload"] == signed


def test_operators_manage_instances(world: World) -> None:
    instance_id = world.built("blue")
    base = f"/mgmt/instances/{instance_id}"
    shown = world.get(base, who="admin")["instance"]
    assert (shown["tenant_id"], shown["deleted"]) == (BLUE, False)
    assert world.get(f"{base}/hwinfo", who="admin")["hwinfo"]["num_cpus"] == 2
    assert world.get(f"{base}/diagnostics", who="admin")["diagnostics"] == {"version": "1"}
    assert world.request("GET", f"{base}/rpc_ping", who="admin").status_code == 204
    for action in ("stop", "reboot", "reset-task-status"):
        answer = world.request("POST", f"{base}/action", {action: {}}, who="admin")
        assert answer.status_code == 202, answer.text
        world.settle()
    for body in ({"migrate": {"host": "h"}}, {"rebuild": {"image_id": "i"}}):
        refused(
            world.request("POST", f"{base}/action", body, who="admin"), 501, "does not support it"
        )
    assert world.request("DELETE", f"/instances/{instance_id}", who="admin").status_code == 202
    world.settle()
    assert world.request("GET", f"/instances/{instance_id}", who="blue").status_code == 404
    gone = world.get("/mgmt/instances", who="admin", params={"deleted": True})["instances"]
    assert [i["id"] for i in gone] == [instance_id]


def test_actions_are_carried_out(world: World) -> None:
    instance_id = world.built()
    path = f"/instances/{instance_id}/action"
    for body in (
        {"restart": None},
        {"resize": {"volume": 2}},
        {"resize": {"flavorRef": "http://x/flavors/3"}},
    ):
        assert world.request("POST", path, body).status_code == 202
        world.settle()
    shown = world.get(f"/instances/{instance_id}")["instance"]
    assert (shown["volume"]["size"], shown["flavor"]["id"]) == (2, "3")
    assert world.request("POST", path, {"reset_status": {}}, who="admin").status_code == 202
    refused(world.request("POST", path, {"restart": {}, "force_delete": {}}), 400, "one action")
    forced: dict[str, Any] = {"reset_status": {}, "force_delete": {}}
    assert world.request("POST", path, forced).status_code == 202


def test_metrics_count_requests_by_their_pattern(world: World) -> None:
    world.get("/flavors/1")
    metrics = world.client.request("GET", "/metrics").text
    line = 'trove_api_requests_total{method="GET",route="/v1.0/{project_id}/flavors/{flavor}"'
    assert line in metrics


def test_an_administrator_sees_more(world: World) -> None:
    instance_id = world.built()
    shown = world.get(f"/instances/{instance_id}", who="admin")["instance"]
    assert shown["server_id"] and shown["tenant_id"] == RED
    version = world.get("/datastores/mariadb/versions/10.11", who="admin")["version"]
    assert version["active"] is True


@pytest.mark.parametrize("path", ["/flavors/", "/instances//"])
def test_a_slash_at_the_end_makes_no_difference(world: World, path: str) -> None:
    assert world.request("GET", path).status_code == 200


def test_nothing_is_deleted_by_a_path_that_ends_with_a_slash(world: World) -> None:
    """It was `databases/..`: HTTP libraries take that for a step up."""
    instance_id = world.built()
    assert world.request("DELETE", f"/instances/{instance_id}/").status_code == 404
    assert world.get(f"/instances/{instance_id}")["instance"]["status"] == "ACTIVE"
