"""Every subcommand sends the request that the API documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import Reply, Service
from tests.unit.cli.trove.conftest import Result

from .conftest import PG

ONE = f"/instances/{PG}"

SENT = [
    ("resize-instance pg big", "POST", f"{ONE}/action", {"resize": {"flavorRef": "3"}}),
    ("update pg --name new", "PUT", ONE, {"instance": {"name": "new"}}),
    ("update pg --configuration one", "PUT", ONE, {"instance": {"configuration": "c-1"}}),
    ("update pg --remove_configuration", "PUT", ONE, {"instance": {"configuration": None}}),
    ("update pg --detach-replica-source", "PUT", ONE, {"instance": {"replica_of": None}}),
    (
        "update pg --is-private --allowed-cidr 10.0.0.0/8",
        "PUT",
        ONE,
        {"instance": {"access": {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]}}},
    ),
    ("database-create pg app", "POST", f"{ONE}/databases", {"databases": [{"name": "app"}]}),
    (
        "database-create pg app --character_set utf8 --collate c",
        "POST",
        f"{ONE}/databases",
        {"databases": [{"name": "app", "character_set": "utf8", "collate": "c"}]},
    ),
    ("database-delete pg a.b", "DELETE", f"{ONE}/databases/a%2Eb", None),
    (
        "user-create pg u pw --host 10.% --databases a b",
        "POST",
        f"{ONE}/users",
        {
            "users": [
                {
                    "name": "u",
                    "password": "pw",
                    "databases": [{"name": "a"}, {"name": "b"}],
                    "host": "10.%",
                }
            ]
        },
    ),
    (
        "user-create pg u pw --databases a b --databases c",
        "POST",
        f"{ONE}/users",
        {
            "users": [
                {
                    "name": "u",
                    "password": "pw",
                    "databases": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
                }
            ]
        },
    ),
    ("user-delete pg u --host 10.%", "DELETE", f"{ONE}/users/u%4010%2E%25", None),
    ("user-delete pg u --host %", "DELETE", f"{ONE}/users/u", None),
    (
        "user-grant-access pg u a b",
        "PUT",
        f"{ONE}/users/u/databases",
        {"databases": [{"name": "a"}, {"name": "b"}]},
    ),
    ("user-revoke-access pg u a", "DELETE", f"{ONE}/users/u/databases/a", None),
    (
        "user-update-attributes pg u --new_name v --new_host h --new_password pw",
        "PUT",
        f"{ONE}/users/u",
        {"user": {"name": "v", "host": "h", "password": "pw"}},
    ),
    (
        "quota-update p instances 20",
        "PUT",
        "/mgmt/quotas/p",
        {"quotas": {"instances": 20}},
    ),
]
"""What the service receives; `test_commands.py` shows what it does with it."""


def split(line: str) -> list[str]:
    return line.split(" ")


@pytest.mark.parametrize(("line", "method", "path", "body"), SENT, ids=[row[0] for row in SENT])
def test_it_sends_what_is_documented(
    service: Service, trove: Callable[..., Result], line: str, method: str, path: str, body: Any
) -> None:
    service.on(method, path, Reply(202))

    result = trove(*split(line))

    assert (result.code, result.err.startswith("ERROR")) == (0, False), result.err
    last = service.received[-1]
    assert (last.method, last.short, last.body) == (method, path, body)


ACCOUNTS = [
    ("user-show {}", "GET", "{}"),
    ("user-delete {}", "DELETE", "{}"),
    ("user-show-access {}", "GET", "{}/databases"),
    ("user-grant-access {} a", "PUT", "{}/databases"),
    ("user-revoke-access {} a", "DELETE", "{}/databases/a"),
    ("user-update-attributes {} --new_name v", "PUT", "{}"),
]


@pytest.mark.parametrize("command", ACCOUNTS, ids=lambda row: row[0])
@pytest.mark.parametrize(
    ("words", "user"),
    [
        ("pg u@h", "u%40h%40%25"),
        ("--host % pg u@h", "u%40h%40%25"),
        ("--host 10.% pg u@h", "u%40h%4010%2E%25"),
        ("pg u@", "u%40%40%25"),
        ("pg u@%", "u%40%25%40%25"),
    ],
)
def test_a_name_with_an_at_is_not_a_name_and_a_host(
    service: Service,
    trove: Callable[..., Result],
    command: tuple[str, str, str],
    words: Any,
    user: str,
) -> None:
    """Otherwise it would be done to another user."""
    line, method, path = command
    at = f"{ONE}/users/{path.format(user)}"
    service.on(method, at, Reply(200, {"user": {"name": "u@h"}, "databases": []}))
    result = trove(*line.format(words).split())
    assert result.code == 0, result.err
    assert (service.received[-1].method, service.received[-1].short) == (method, at)


def test_a_force_delete_aborts_the_operation_first(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.on("POST", f"{ONE}/action", Reply(202))
    service.on("DELETE", ONE, Reply(202))
    trove("force-delete", PG)
    assert service.received[-2].body == {"reset_status": {"force_delete": True}}


def test_a_force_delete_needs_no_administrator_where_deleting_waits_for_nothing(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.on("POST", f"{ONE}/action", Reply(403, {"forbidden": {"message": "no"}}))
    service.on("DELETE", ONE, Reply(202))
    assert trove("force-delete", PG).code == 0
    service.on("POST", f"{ONE}/action", Reply(500, {"instanceFault": {"message": "no"}}))
    assert trove("force-delete", PG).err == "ERROR: no (HTTP 500)\n"


def test_a_limit_requests_one_page(service: Service, trove: Callable[..., Result]) -> None:
    page = {"instances": [], "links": [{"rel": "next", "href": "x?marker=7"}]}
    service.give("/instances", page)
    trove("list", "--limit", "3", "--marker", "m", "--include-clustered")
    (request,) = service.received
    assert request.query == {"limit": "3", "marker": "m", "include_clustered": "True"}


def test_instances_are_listed_by_name(service: Service, trove: Callable[..., Result]) -> None:
    service.give("/instances", {"instances": []})
    trove("list", "--name", "orders")
    (request,) = service.received
    assert request.query["name"] == "orders"


@pytest.mark.parametrize("line", ["update pg", "user-update-attributes pg u"])
def test_nothing_to_change_is_an_error(trove: Callable[..., Result], line: str) -> None:
    result = trove(*split(line))
    assert result.code == 1
    assert result.err.startswith("ERROR: There is nothing to change")
