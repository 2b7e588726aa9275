"""Quotas of projects, and rate limits."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.command import Command, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns, Item
from trove.cli.trove.request import Request

COLUMNS: Columns = {
    "Limit": "verb",
    "URI": "uri",
    "Value": "value",
    "Remaining": "remaining",
    "Unit": "unit",
}
PROJECT = arg("project", help="name or id of the project")


def list_limits(context: Context, arguments: Namespace) -> None:
    limits = context.session.get("/limits")["limits"]
    # Programs get the answer of the service; the rows are for people.
    as_given = context.output.format in ("json", "yaml") and not context.output.chosen
    context.show_list(limits if as_given else _rows(limits), COLUMNS)


def _rows(limits: list[Item]) -> list[Item]:
    """One row for each absolute limit, which the service returns in one object."""
    rows: list[Item] = []
    for limit in limits:
        if limit.get("verb") == "ABSOLUTE":
            rows += [{"verb": k, "value": v} for k, v in limit.items() if k != "verb"]
        else:
            rows.append(limit)
    return rows


def new_quota(context: Context, arguments: Namespace) -> Any:
    return {"quotas": {arguments.resource: arguments.limit}}


COMMANDS = (
    Command(
        "limit-list",
        "List the quotas and rate limits of the project.",
        "trove limit-list",
        (),
        list_limits,
    ),
    Command(
        "quota-show",
        "Show the quotas of a project and their use.",
        "trove quota-show shop",
        (PROJECT,),
        Request(
            "GET",
            "/mgmt/quotas/{project}",
            key="quotas",
            columns={
                "Resource": "resource",
                "In Use": "in_use",
                "Reserved": "reserved",
                "Limit": "limit",
            },
        ),
    ),
    Command(
        "quota-update",
        "Change a quota of a project; -1 is no limit (administrators).",
        "trove quota-update shop instances 20",
        (
            PROJECT,
            arg("resource", help="instances, ram, volumes or backups"),
            arg("limit", type=int, help="-1 for none"),
        ),
        Request("PUT", "/mgmt/quotas/{project}", new_quota, "quotas"),
    ),
)
