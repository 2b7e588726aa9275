"""Follows an operation until it ends.

A service that knows no operations is followed by the status of what they are done to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from trove.client.errors import HttpError, OperationFailed, TimedOut, Unreachable
from trove.client.session import Session

GOING_ON = frozenset({"running", "undoing"})
# Any other word is an end, and a good one unless it is in BAD: what a newer service says must
# not be waited for until the time is up.
BUSY = frozenset(
    {"NEW", "BUILD", "BUILDING", "SAVING", "REBOOT", "RESIZE", "BACKUP", "PROMOTE", "EJECT"}
    | {"UPGRADE", "DETACH", "LOGGING"}
)
BAD = frozenset({"ERROR", "FAILED", "DELETE_FAILED"})
# The service, or a proxy before it, is there, but not what it needs: its database may restart.
AILING = frozenset({502, 503, 504})
QUICK, SLOW = 0.2, 1.0
"""Seconds between two looks: at the start, and later on."""


@dataclass(frozen=True)
class Sight:
    """How far an operation has come when it was looked at."""

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


@dataclass
class Watcher:
    """Looks again and again; `show` hears of every look, `clock` and `sleep` are for tests."""

    session: Session
    show: Callable[[Sight], None] = lambda sight: None
    timeout: float = 1800
    """Seconds."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    last: Sight | None = field(default=None, init=False)

    def watch(self, look: Callable[[], Sight], wanted: str = "succeeded") -> Sight:
        """The last sight; raises OperationFailed when the state is not the wanted one, TimedOut.

        A service that does not answer meanwhile is asked again: it may be restarting.
        """
        for pause in self._pauses():
            try:
                sight = look()
            # Nothing is lost by it: operations go on whether the API answers or not.
            except (Unreachable, HttpError) as error:
                if isinstance(error, HttpError) and error.code not in AILING:
                    raise
                sight = Sight("operation", "running", note=f"waiting for the service: {error}")
            self.last = sight
            self.show(sight)
            if sight.is_over:
                return ended_well(sight, wanted)
            self.sleep(pause)
        raise TimedOut(_still_going_on(self.last, self.timeout))

    def _pauses(self) -> Iterator[float]:
        begun = self.clock()
        # One look even without time, or nobody could say what goes on.
        while (passed := self.clock() - begun) < self.timeout or self.last is None:
            # Eager at first, for much ends within a second or two; sparing with requests later.
            yield QUICK if passed < 3 else SLOW


def ended_well(sight: Sight, wanted: str = "succeeded") -> Sight:
    """The sight, if it is that of an operation which ended as it should."""
    if sight.state == wanted:
        return sight
    reason = sight.error or sight.note or "no reason was given."
    # Reached when cancelling was wanted and the operation was quicker.
    if sight.state == "succeeded":
        reason = "it could not be turned back any more."
    message = f"{sight.workflow} {_ENDS.get(sight.state, sight.state)}: {reason}"
    raise OperationFailed(f"{message} (operation {sight.id})" if sight.id else message)


_ENDS = {
    "succeeded": "has succeeded",
    "failed": "has failed",
    "cancelled": "was cancelled",
    "superseded": "was replaced by another operation",
}


def _still_going_on(sight: Sight | None, timeout: float) -> str:
    assert sight is not None  # noqa: S101 - one look is always taken
    look = f"`trove operation-watch {sight.id}`" if sight.id else "`trove show`"
    return (
        f"{sight.workflow} is still going on after {timeout:g} s; it was not stopped. "
        f"Look again with {look}."
    )


def newest_of(session: Session, subject_id: str, request_id: str = "") -> dict[str, Any] | None:
    """The operation that a request started on this subject, else the newest; None without any."""
    try:
        body = session.get("/operations", instance_id=subject_id)
    except HttpError as error:
        # Services without operations; anything else is a failure that must be seen.
        if error.code not in (404, 501):
            raise
        return None
    # A service that does not know this filter answers with everybody's.
    found = [item for item in body["operations"] if item.get("subject_id") == subject_id]
    # Another request may have begun one on the same thing in between.
    asked = [item for item in found if request_id and item.get("request_id") == request_id]
    return max(asked or found, key=_age, default=None)


def _age(operation: dict[str, Any]) -> str:
    return str(operation.get("created") or "")


def look_at_operation(session: Session, operation_id: str) -> Callable[[], Sight]:
    """For `Watcher.watch`."""

    def look() -> Sight:
        return sight_of(session.get(f"/operations/{operation_id}")["operation"])

    return look


def sight_of(operation: dict[str, Any]) -> Sight:
    return Sight(
        workflow=operation["workflow"],
        state=operation["state"],
        percent=operation.get("progress"),
        step=operation.get("step") or "",
        note=operation.get("note") or "",
        error=operation.get("error") or "",
        id=operation["id"],
    )


def look_at_newest(
    session: Session, subject_id: str, request_id: str, otherwise: Callable[[], Sight]
) -> Callable[[], Sight]:
    """For `Watcher.watch`: what a request has started; `otherwise` where there is no such thing."""
    chosen: list[Callable[[], Sight]] = []

    def look() -> Sight:
        # Found while it is watched, so that a service that is away at that moment is waited for.
        if not chosen:
            found = newest_of(session, subject_id, request_id)
            chosen.append(look_at_operation(session, found["id"]) if found else otherwise)
        return chosen[0]()

    return look


def look_at_status(
    session: Session, path: str, key: str, *, deleting: bool = False
) -> Callable[[], Sight]:
    """For `Watcher.watch`, where the service tells nothing of operations."""

    def look() -> Sight:
        try:
            thing = session.get(path)[key]
        except HttpError as error:
            if error.code == 404 and deleting:
                return Sight(f"{key}.delete", "succeeded", 100)
            raise
        return _sight_of_status(thing, key, deleting)

    return look


def _sight_of_status(thing: dict[str, Any], key: str, deleting: bool) -> Sight:
    status = _status_of(thing)
    if status in BAD:
        fault = thing.get("fault") or {}
        return Sight(key, "failed", error=fault.get("message") or f"the status is {status}.")
    # While it is being deleted any status may be shown; the end is a 404.
    going_on = deleting or status in BUSY
    return Sight(key, "running" if going_on else "succeeded", note=f"status {status}")


def _status_of(thing: dict[str, Any]) -> str:
    """Of a cluster it is the name of its task."""
    if "status" in thing:
        return str(thing["status"])
    task = (thing.get("task") or {}).get("name", "NONE")
    return "ACTIVE" if task == "NONE" else "BUILD"
