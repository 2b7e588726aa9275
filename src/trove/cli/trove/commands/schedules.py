"""Backups at given times."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trove.cli.trove.command import INSTANCE, LIMIT, MARKER, Command, Request, arg
from trove.cli.trove.context import Context
from trove.cli.trove.output import Columns
from trove.client.errors import HttpError

COLUMNS: Columns = {
    "ID": "id",
    "Name": "name",
    "Pattern": "pattern",
    "Incremental": "incremental",
    "Next Execution Time": "next_execution_time",
}
Run = Callable[[Context, Namespace], None]
SCHEDULE = arg("schedule", help="name or id of the schedule")


def new_schedule(context: Context, arguments: Namespace) -> Any:
    return {
        "schedule": {
            "instance": context.find("instances", arguments.instance),
            "pattern": arguments.pattern,
            "name": arguments.name,
            "incremental": int(arguments.incremental),
        }
    }


def list_schedules(context: Context, arguments: Namespace) -> None:
    instance_id = context.find("instances", arguments.instance)
    schedules = context.session.pages("/schedules", "schedules", instance_id=instance_id)
    context.show_list(list(schedules), COLUMNS)


def explained(run: Run) -> Run:
    """The same, with a sentence where the service has no schedules at all."""

    def explaining(context: Context, arguments: Namespace) -> None:
        try:
            run(context, arguments)
        except HttpError as error:
            # A schedule that is missing is named; this is what is said of a path that is not known.
            if (error.code, error.message) != (404, "Not Found"):
                raise
            raise HttpError(404, UNSUPPORTED, error.request_id) from None

    return explaining


UNSUPPORTED = (
    "Schedules are not supported by this release: run pg_dump or mariadb-dump from a crontab, at "
    "the address that `trove url INSTANCE` prints."
)

_COMMANDS = (
    Command(
        "schedule-create",
        "Back an instance up regularly.",
        "trove schedule-create pg '0 3 * * *' nightly --incremental",
        (
            INSTANCE,
            arg("pattern", help="minute, hour, day, month, weekday, as in a crontab"),
            arg("name", help="the name of the new schedule"),
            arg("--incremental", action="store_true", help="only what has changed since the last"),
        ),
        Request("POST", "/schedules", new_schedule, "schedule"),
    ),
    Command(
        "schedule-list",
        "List the schedules of an instance.",
        "trove schedule-list pg",
        (INSTANCE,),
        list_schedules,
    ),
    Command(
        "schedule-show",
        "Show a schedule.",
        "trove schedule-show nightly",
        (SCHEDULE,),
        Request("GET", "/schedules/{schedule}", key="schedule"),
    ),
    Command(
        "schedule-delete",
        "Delete a schedule.",
        "trove schedule-delete nightly",
        (SCHEDULE,),
        Request("DELETE", "/schedules/{schedule}"),
    ),
    Command(
        "execution-list",
        "List what a schedule has done.",
        "trove execution-list nightly",
        (SCHEDULE, LIMIT, MARKER),
        Request(
            "GET",
            "/schedules/{schedule}/executions",
            key="executions",
            columns={"ID": "id", "Created": "created", "State": "state", "Output": "output"},
            query=("limit", "marker"),
        ),
    ),
)

COMMANDS = tuple(replace(each, run=explained(each.run)) for each in _COMMANDS)
