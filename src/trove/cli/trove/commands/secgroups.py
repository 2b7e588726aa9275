"""Security groups: who may reach instances over the network."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.trove.command import Command, Request, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns

RULE_COLUMNS: Columns = {
    "ID": "id",
    "Protocol": "protocol",
    "From Port": "from_port",
    "To Port": "to_port",
    "CIDR": "cidr",
}
SECGROUP = arg("security_group", help="id of the security group")


def new_rule(context: Context, arguments: Namespace) -> Any:
    return {"security_group_rule": {"group_id": arguments.security_group, "cidr": arguments.cidr}}


def list_rules(context: Context, arguments: Namespace) -> None:
    # There is no route for the rules alone: they come with their group.
    group = Request("GET", "/security-groups/{security_group}").path_of(context, arguments)
    context.show_list(context.session.get(group)["security_group"]["rules"], RULE_COLUMNS)


COMMANDS = (
    Command(
        "secgroup-list",
        "List the security groups.",
        "trove secgroup-list",
        (),
        Request(
            "GET",
            "/security-groups",
            key="security_groups",
            columns={"ID": "id", "Name": "name", "Instance ID": "instance_id"},
        ),
    ),
    Command(
        "secgroup-show",
        "Show a security group.",
        "trove secgroup-show 0f6c",
        (SECGROUP,),
        Request("GET", "/security-groups/{security_group}", key="security_group"),
    ),
    Command(
        "secgroup-list-rules",
        "List the rules of a security group.",
        "trove secgroup-list-rules 0f6c",
        (SECGROUP,),
        list_rules,
    ),
    Command(
        "secgroup-add-rule",
        "Let a network reach the instances of a security group.",
        "trove secgroup-add-rule 0f6c 10.0.0.0/24",
        (SECGROUP, arg("cidr", help="the network")),
        Request("POST", "/security-group-rules", new_rule, "security_group_rule", RULE_COLUMNS),
    ),
    Command(
        "secgroup-delete-rule",
        "Delete a rule of a security group.",
        "trove secgroup-delete-rule 7d21",
        (arg("rule", metavar="security_group_rule", help="id of the rule"),),
        Request("DELETE", "/security-group-rules/{rule}"),
    ),
)
