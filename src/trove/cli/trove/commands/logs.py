"""The engine's logs."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from trove.cli.trove.command import INSTANCE, Argument, Command, Request, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns
from trove.client.errors import ClientError

PATH = "/instances/{instance}/log"
COLUMNS: Columns = {
    "Name": "name",
    "Type": "type",
    "Status": "status",
    "Published": "published",
    "Pending": "pending",
    "Container": "container",
    "Prefix": "prefix",
}
LOG = arg("log", metavar="log_name", help="name of the log, such as general or slow_query")


def asking(*flags: str) -> Request:
    """POST the log's name with these flags set."""

    def body(context: Context, arguments: Namespace) -> Any:
        extra = ("discard",) if getattr(arguments, "discard", False) else ()
        # 1 and not true, which the wire refuses.
        return {"name": arguments.log} | dict.fromkeys((*flags, *extra), 1)

    return Request("POST", PATH, body, "log")


def read(context: Context, arguments: Namespace) -> None:
    """What is published lies in the object store, and is read there."""
    instance_id = context.find("instances", arguments.instance)
    log = context.session.post(f"/instances/{instance_id}/log", {"name": arguments.log})["log"]
    if not log.get("prefix"):
        raise ClientError(
            f"Nothing of the log '{arguments.log}' is published; "
            f"`trove log-publish {arguments.instance} {arguments.log}` does it."
        )
    raise ClientError(
        f"The log is in the object store: container {log.get('container')}, "
        f"objects {log['prefix']}*. Read it there, for example with `openstack object save`."
    )


def on_log(name: str, summary: str, run: Any, *more: Argument, rest: str = "") -> Command:
    example = f"trove {name} mdb slow_query{rest}"
    return Command(name, summary, example, (INSTANCE, LOG, *more), run)


COMMANDS = (
    Command(
        "log-list",
        "List the logs of an instance.",
        "trove log-list mdb",
        (INSTANCE,),
        Request("GET", PATH, key="logs", columns=COLUMNS),
    ),
    on_log("log-show", "Show the state of a log.", asking()),
    on_log("log-enable", "Have the engine write a log.", asking("enable")),
    on_log(
        "log-disable",
        "Have the engine write a log no more.",
        asking("disable"),
        arg("--discard", action="store_true", help="and drop what was published"),
    ),
    on_log("log-publish", "Publish what is new in a log.", asking("publish")),
    on_log("log-discard", "Drop what was published of a log.", asking("discard")),
    on_log(
        "log-tail",
        "Show the end of a log.",
        read,
        arg("--lines", type=int, default=50, metavar="N", help="so many lines"),
        rest=" --lines 100",
    ),
    on_log(
        "log-save",
        "Save a log into a file.",
        read,
        arg("--file", metavar="FILE", help="where to"),
        rest=" --file slow.log",
    ),
)
