"""Operations, running and ended, and the events of the project."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from trove.cli.command import Command, arg
from trove.cli.trove.arguments import LIMIT, MARKER, TIMEOUT, WAITING
from trove.cli.trove.context import Context, Subject, advice_of
from trove.cli.trove.output import Columns, Item
from trove.cli.trove.request import Request
from trove.cli.trove.views import details_of, operation_lines
from trove.client.errors import ClientError, HttpError
from trove.client.find import UUID, find_id
from trove.client.operations import newest_of, poll_operation

COLUMNS: Columns = {
    "ID": "id",
    "Operation": "workflow",
    "Subject": "subject_id",
    "State": "state",
    "Progress": "progress",
    "Step": "step",
    "Created": "created",
}
EVENT_COLUMNS: Columns = {
    "Created": "created",
    "Event": "kind",
    "Subject": "subject_id",
    "Operation": "operation_id",
    "User": "user_id",
    "Details": details_of,
}
OPERATION = arg(
    "operation", help="id of the operation, or name or id of an instance: its newest operation"
)
OF_INSTANCE = arg("--instance", help="only of this instance, name or id")
QUERY = ("limit", "marker", "instance_id")


def of_subject(request: Request) -> Callable[[Context, Namespace], None]:
    """A request with the id of an instance, which is given by name or id."""

    def run(context: Context, arguments: Namespace) -> None:
        wanted = arguments.instance
        instance_id = context.find("instances", wanted) if wanted else None
        request(context, Namespace(**{**vars(arguments), "instance_id": instance_id}))

    return run


def watch(context: Context, arguments: Namespace) -> None:
    operation = find_operation(context, arguments.operation)
    context.watch(poll_operation(context.session, operation["id"]), subject_of(operation))
    show(context, operation["id"])


def show_one(context: Context, arguments: Namespace) -> None:
    show(context, find_operation(context, arguments.operation)["id"])


def show(context: Context, operation_id: str) -> None:
    operation = context.session.get(f"/operations/{operation_id}")["operation"]
    context.show_one(operation, operation_lines(operation))


def find_operation(context: Context, wanted: str) -> Item:
    """An operation by its id, or the newest of an instance."""
    # The id of an instance has the same form; only the service can decide.
    is_id = UUID.fullmatch(wanted) is not None
    found = _operation(context, wanted) if is_id else None
    found = found or newest_of(context.session, _instance(context, wanted))
    if found is None and is_id:
        raise HttpError(404, f"There is no operation, and no instance with one, '{wanted}'.")
    if found is None:
        raise ClientError(f"There is no operation on '{wanted}' to watch.")
    return found


def _instance(context: Context, wanted: str) -> str:
    try:
        return find_id(context.session, "instances", wanted)
    except HttpError as error:
        if error.code != 404:
            raise
        message = f"There is no operation with the id, and no instance with the name, '{wanted}'."
        raise HttpError(404, message, error.request_id) from None


def _operation(context: Context, operation_id: str) -> Item | None:
    try:
        found: Item = context.session.get(f"/operations/{operation_id}")["operation"]
    except HttpError as error:
        if error.code == 404:
            return None
        raise
    return found


def subject_of(operation: Item) -> Subject:
    verb = operation["workflow"].partition(".")[2]
    return Subject(operation["subject_id"], verb == "create", verb == "delete")


def cancel(context: Context, arguments: Namespace) -> None:
    operation = find_operation(context, arguments.operation)
    path = f"/operations/{operation['id']}"
    context.session.post(f"{path}/action", {"cancel": {}})
    if not context.waits:
        follow = f"trove operation-watch {operation['id']}"
        context.say(f"The operation is being undone; follow it with `{follow}`.")
        return
    poll = poll_operation(context.session, operation["id"])
    subject = subject_of(operation)
    context.watch(poll, subject, wanted="cancelled")
    show(context, operation["id"])
    # A cancelled creation leaves an instance in error, which the user has to delete.
    if subject.is_created:
        context.say(advice_of(subject))


COMMANDS = (
    Command(
        "operation-list",
        "List running and ended operations, the newest first.",
        "trove operation-list --instance pg --state active",
        (
            OF_INSTANCE,
            arg(
                "--state", help="running, succeeded, failed ...; active for all that have not ended"
            ),
            arg("--workflow", metavar="NAME", help="only this kind, such as instance.create"),
            LIMIT,
            MARKER,
        ),
        of_subject(
            Request(
                "GET",
                "/operations",
                key="operations",
                columns=COLUMNS,
                query=(*QUERY, "state", "workflow"),
            )
        ),
    ),
    Command(
        "operation-show",
        "Show an operation with its steps.",
        "trove operation-show 3f8e0c1a-6a3e-4d3c-9a53-0a2d8f6f2f10",
        (OPERATION,),
        show_one,
    ),
    Command(
        "operation-watch",
        "Watch an operation until it ends.",
        "trove operation-watch pg --timeout 60",
        (OPERATION, TIMEOUT),
        watch,
    ),
    Command(
        "operation-cancel",
        "Cancel an operation and undo its steps.",
        "trove operation-cancel pg --wait",
        (OPERATION, *WAITING),
        cancel,
    ),
    Command(
        "event-list",
        "List the events of the project, the newest first.",
        "trove event-list --instance pg --limit 20",
        (
            OF_INSTANCE,
            arg("--operation_id", metavar="ID", help="only of this operation"),
            arg("--kind", help="only of this kind, such as user.create or user"),
            arg("--since", metavar="TIME", help="only newer ones, such as 2026-01-31T12:00:00"),
            LIMIT,
            MARKER,
        ),
        of_subject(
            Request(
                "GET",
                "/events",
                key="events",
                columns=EVENT_COLUMNS,
                query=(*QUERY, "operation_id", "kind", "since"),
            )
        ),
    ),
)
