"""Follows an operation until it ends.

Where a service has no operations, the status of the instance is followed instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from trove.client.errors import HttpError, OperationFailed, TimedOut, Unreachable
from trove.client.session import Session
from trove.client.wire import Json

GOING_ON = frozenset({"running", "undoing"})
# Any other status is an end, and a success unless it is in BAD: an unknown status of a newer
# service must not be waited for until the time is over.
BUSY = frozenset(
    {"NEW", "BUILD", "BUILDING", "SAVING", "REBOOT", "RESIZE", "BACKUP", "PROMOTE", "EJECT"}
    | {"UPGRADE", "DETACH", "LOGGING"}
)
BAD = frozenset({"ERROR", "FAILED", "DELETE_FAILED"})
# From a service, or a proxy in front of it, whose database or back end restarts.
TEMPORARY = frozenset({502, 503, 504})
QUICK, SLOW = 0.2, 1.0
"""Seconds between two polls: at the start, and later."""


@dataclass(frozen=True)
class Progress:
    """How far an operation is, as of one poll."""

    workflow: str
    state: str
    percent: int | None = None
    step: str = ""
    note: str = ""
    error: str = ""
    id: str = ""

    @property
    def is_over(self) -> bool:
        return self.state not in GOING_ON


NOTHING_STARTED = Progress("change", "succeeded", 100)
"""Of a request that started no operation."""


@dataclass
class Watcher:
    """Polls an operation; `show` receives every result, `clock` and `sleep` are for tests."""

    session: Session
    show: Callable[[Progress], None] = lambda progress: None
    timeout: float = 1800
    """Seconds."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    last: Progress | None = field(default=None, init=False)

    def watch(self, poll: Callable[[], Progress], wanted: str = "succeeded") -> Progress:
        """The last poll; raises OperationFailed when the state is not the wanted one, TimedOut.

        A service that does not answer is polled again: it may be restarting.
        """
        for pause in self._pauses():
            try:
                progress = poll()
            # Operations continue whether the API answers or not.
            except (Unreachable, HttpError) as error:
                if isinstance(error, HttpError) and error.code not in TEMPORARY:
                    raise
                progress = Progress(
                    "operation", "running", note=f"waiting for the service: {error}"
                )
            self.last = progress
            self.show(progress)
            if progress.is_over:
                return ended_well(progress, wanted)
            self.sleep(pause)
        raise TimedOut(_still_going_on(self.last, self.timeout))

    def _pauses(self) -> Iterator[float]:
        begun = self.clock()
        # One poll even without time, for the message of TimedOut.
        while (passed := self.clock() - begun) < self.timeout or self.last is None:
            # Fast at first, because much ends within a second or two; fewer requests later.
            yield QUICK if passed < 3 else SLOW


def ended_well(progress: Progress, wanted: str = "succeeded") -> Progress:
    """The same, if the operation ended in the wanted state; raises OperationFailed."""
    if progress.state == wanted:
        return progress
    reason = progress.error or progress.note or "no reason was given."
    # Reached when cancelling was wanted and the operation was quicker.
    if progress.state == "succeeded":
        reason = "it could not be turned back any more."
    message = f"{progress.workflow} {_ENDS.get(progress.state, progress.state)}: {reason}"
    raise OperationFailed(f"{message} (operation {progress.id})" if progress.id else message)


_ENDS = {
    "succeeded": "has succeeded",
    "failed": "has failed",
    "cancelled": "was cancelled",
    "superseded": "was replaced by another operation",
}


def _still_going_on(progress: Progress | None, timeout: float) -> str:
    assert progress is not None  # noqa: S101 - there is always one poll
    command = f"`trove operation-watch {progress.id}`" if progress.id else "`trove show`"
    return (
        f"{progress.workflow} is still going on after {timeout:g} s; it was not stopped. "
        f"Look again with {command}."
    )


def operations_of(session: Session, subject_id: str) -> list[Json] | None:
    """The operations of an instance; None where the service has no operations at all."""
    try:
        body = session.get("/operations", instance_id=subject_id)
    except HttpError as error:
        # Any other error is raised.
        if error.code not in (404, 501):
            raise
        return None
    # A service that does not know this filter returns all operations.
    return [item for item in body["operations"] if item.get("subject_id") == subject_id]


def newest_of(session: Session, subject_id: str) -> Json | None:
    """The newest operation of an instance; None without any."""
    return max(operations_of(session, subject_id) or (), key=_age, default=None)


def _age(operation: Json) -> str:
    return str(operation.get("created") or "")


def poll_operation(session: Session, operation_id: str) -> Callable[[], Progress]:
    """For `Watcher.watch`."""

    def poll() -> Progress:
        return progress_of(session.get(f"/operations/{operation_id}")["operation"])

    return poll


def progress_of(operation: Json) -> Progress:
    return Progress(
        workflow=operation["workflow"],
        state=operation["state"],
        percent=operation.get("progress"),
        step=operation.get("step") or "",
        note=operation.get("note") or "",
        error=operation.get("error") or "",
        id=operation["id"],
    )


@dataclass(frozen=True)
class Started:
    """What is known of the request that may have started an operation."""

    subject_id: str
    request_id: str = ""
    operation_id: str = ""
    is_replayed: bool = False
    """Its answer is that to another request, whose id is not known."""


def poll_started(
    session: Session, started: Started, otherwise: Callable[[], Progress]
) -> Callable[[], Progress]:
    """For `Watcher.watch`: the operation that this request has started, and no other one.

    `otherwise` where the service has no operations.
    """
    chosen: list[Callable[[], Progress]] = []

    def poll() -> Progress:
        # Looked up in the first poll, so that a service that does not answer then is waited for.
        if not chosen:
            chosen.append(_poll_of(session, started, otherwise))
        return chosen[0]()

    return poll


def _poll_of(
    session: Session, started: Started, otherwise: Callable[[], Progress]
) -> Callable[[], Progress]:
    if started.operation_id:
        return poll_operation(session, started.operation_id)
    found = operations_of(session, started.subject_id)
    if found is None:
        return otherwise
    # Services that do not name the operation in their answer record who requested it.
    if not started.is_replayed:
        found = [item for item in found if item.get("request_id") == started.request_id]
    newest = max(found, key=_age, default=None)
    return poll_operation(session, newest["id"]) if newest else lambda: NOTHING_STARTED


def poll_status(
    session: Session, path: str, key: str, *, deleting: bool = False
) -> Callable[[], Progress]:
    """For `Watcher.watch`, where the service has no operations."""

    def poll() -> Progress:
        try:
            thing = session.get(path)[key]
        except HttpError as error:
            if error.code == 404 and deleting:
                return Progress(f"{key}.delete", "succeeded", 100)
            raise
        return _progress_of_status(thing, key, deleting)

    return poll


def _progress_of_status(thing: Json, key: str, deleting: bool) -> Progress:
    status = str(thing["status"])
    if status in BAD:
        fault = thing.get("fault") or {}
        return Progress(key, "failed", error=fault.get("message") or f"the status is {status}.")
    # During a deletion the status may be any; the end is a 404.
    going_on = deleting or status in BUSY
    return Progress(key, "running" if going_on else "succeeded", note=f"status {status}")
