"""What this release does not serve: one table, with what a client gets instead.

Clients list backups or configuration groups on their way to something else, and look a name up in
a list once its id was answered 404. So lists are empty, single resources do not exist, and what
would create one answers 501 with the way around. These routes are not in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from trove.api.call import Call, accepted, call_of
from trove.api.errors import JSON_TYPE
from trove.api.exchange import SCOPE_KEY
from trove.api.negotiation import ENCODED_SLASH
from trove.api.policy import enforce
from trove.errors import NotFound, NotSupported
from trove.services import datastores, instances

Outcome = Callable[[dict[str, str]], Response]
"""What is answered, given the parameters of the path."""


class Row(NamedTuple):
    methods: str
    path: str
    outcome: Outcome


def _empty(key: str, value: object = ()) -> Outcome:
    body = orjson.dumps({key: value})
    return lambda path: Response(body, media_type=JSON_TYPE)


def _missing(kind: str) -> Outcome:
    """404, naming the resource by the last parameter of the path."""

    def outcome(path: dict[str, str]) -> Response:
        raise NotFound(f"{kind} {[*path.values()][-1]!r} could not be found.")

    return outcome


def _refused(message: str) -> Outcome:
    def outcome(path: dict[str, str]) -> Response:
        raise NotSupported(message)

    return outcome


def _nothing_to_delete(path: dict[str, str]) -> Response:
    return accepted()


BACKUPS = _refused(
    "Backups are not supported by this release: dump the data with the engine's own client, at the "
    "address that `trove url INSTANCE` prints."
)
SETTINGS = (
    "are not supported by this release: an engine's settings follow from the instance's flavor."
)
METADATA = _refused(
    "Metadata of instances is not supported by this release: keep it under the instance's id."
)
LOGS = _refused("Guest logs are not available from this installation.")
MODULES = _refused("Modules are not supported by this release.")
GROUP, CLUSTER, MODULE = map(_missing, ("Configuration group", "Cluster", "Module"))
PARAMETER = _missing("Configuration parameter")
PARAMETERS = _empty("configuration-parameters")
RULES = _refused(f"Configuration parameters {SETTINGS}")
# An empty list would say that there are none.
HOSTS = _refused(
    "Hosts and their storage are not known to this release: look at the infrastructure itself."
)
ACCOUNTS = _refused(
    "Accounts are not listed by this release: GET /mgmt/instances shows each instance's project."
)
OF_VERSION = "/datastores/{datastore}/versions/{version}/parameters"
OF_VERSION_ALONE = "/datastores/versions/{version}/parameters"

UNSERVED: tuple[Row, ...] = (
    Row("GET", "/backups", _empty("backups")),
    Row("POST", "/backups", BACKUPS),
    Row("GET DELETE", "/backups/{backup}", _missing("Backup")),
    Row("GET", "/instances/{instance_id}/backups", _empty("backups")),
    Row("GET", "/backup_strategies", _empty("backup_strategies")),
    Row("POST", "/backup_strategies", BACKUPS),
    Row("DELETE", "/backup_strategies", _nothing_to_delete),
    Row("GET", "/configurations", _empty("configurations")),
    Row("POST", "/configurations", _refused(f"Configuration groups {SETTINGS}")),
    Row("GET PATCH PUT DELETE", "/configurations/{group}", GROUP),
    Row("GET", "/configurations/{group}/instances", GROUP),
    Row("GET", OF_VERSION, PARAMETERS),
    Row("GET", f"{OF_VERSION}/{{name}}", PARAMETER),
    Row("GET", OF_VERSION_ALONE, PARAMETERS),
    Row("GET", f"{OF_VERSION_ALONE}/{{name}}", PARAMETER),
    Row("GET POST", f"/mgmt{OF_VERSION_ALONE}", RULES),
    Row("GET PUT DELETE", f"/mgmt{OF_VERSION_ALONE}/{{name}}", RULES),
    Row("GET", "/modules", _empty("modules")),
    Row("POST", "/modules", MODULES),
    Row("GET PUT DELETE", "/modules/{module}", MODULE),
    Row("GET PUT", "/modules/{module}/instances", MODULE),
    Row("GET", "/instances/{instance_id}/modules", _empty("modules")),
    Row("POST", "/instances/{instance_id}/modules", MODULES),
    Row("DELETE", "/instances/{instance_id}/modules/{module}", MODULE),
    Row("GET", "/clusters", _empty("clusters")),
    Row("POST", "/clusters", _refused("Clusters are not supported by this release.")),
    Row("GET POST DELETE", "/clusters/{cluster}", CLUSTER),
    # python-troveclient's root commands try an instance first and then a cluster of this id.
    Row("GET POST DELETE", "/clusters/{cluster}/root", CLUSTER),
    Row("GET", "/clusters/{cluster}/instances/{member}", _missing("Cluster member")),
    Row("GET", "/mgmt/clusters", _empty("clusters")),
    Row("GET", "/mgmt/clusters/{cluster}", CLUSTER),
    Row("POST", "/mgmt/clusters/{cluster}/action", CLUSTER),
    Row("GET POST", "/instances/{instance_id}/log", LOGS),
    Row("GET", "/instances/{instance_id}/metadata", _empty("metadata", {})),
    Row("GET DELETE", "/instances/{instance_id}/metadata/{key}", _missing("Metadata")),
    # python-troveclient creates by POST, edits by PATCH and renames by PUT.
    Row("POST PATCH PUT", "/instances/{instance_id}/metadata/{key}", METADATA),
    Row(
        "GET",
        "/instances/{instance_id}/databases/{name}",
        _refused("A single database cannot be shown; list them."),
    ),
    Row(
        "POST",
        "/instances/{instance_id}/ssl",
        _refused("TLS is always on here, with certificates of this installation."),
    ),
    Row("GET", "/security-groups", _empty("security_groups")),
    Row("GET", "/security-groups/{group}", _missing("Security group")),
    Row(
        "POST",
        "/security-group-rules",
        _refused("There are no security groups here; use the instance's access."),
    ),
    Row("DELETE", "/security-group-rules/{rule}", _missing("Security group rule")),
    Row("GET", "/mgmt/hosts", HOSTS),
    Row("GET", "/mgmt/hosts/{host}", HOSTS),
    Row("GET", "/mgmt/storage", HOSTS),
    Row("GET", "/mgmt/accounts", ACCOUNTS),
    Row("GET", "/mgmt/accounts/{account}", ACCOUNTS),
)


def _rule_of(method: str, path: str) -> str:
    kind = "read" if method == "GET" else "write"
    return f"mgmt:{kind}" if path.startswith("/mgmt/") else f"unserved:{kind}"


def _endpoint(row: Row) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        exchange = request.scope[SCOPE_KEY]
        enforce(_rule_of(request.method, row.path), exchange.caller)
        path = {
            name: value.replace(ENCODED_SLASH, "/")
            for name, value in request.path_params.items()
            if name != "project_id"
        }
        _check_parents(call_of(request, exchange), path)
        return row.outcome(path)

    return answer


def _check_parents(call: Call, path: dict[str, str]) -> None:
    """An unknown instance or version is reported first: that is what the caller can correct."""
    if "instance_id" in path:
        instances.show(call.inst, call.caller, path["instance_id"])
    if "version" in path:
        datastores.version_of(call.inst, call.caller, path.get("datastore"), path["version"])


router = APIRouter(include_in_schema=False)
for _row in UNSERVED:
    router.add_api_route(_row.path, _endpoint(_row), methods=_row.methods.split())
