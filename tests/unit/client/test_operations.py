"""Following an operation: how it ends, and a service that does not answer meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.service import Reply, Service
from trove.client.errors import HttpError, OperationFailed, TimedOut, Unreachable
from trove.client.operations import (
    QUICK,
    SLOW,
    Progress,
    Started,
    Watcher,
    newest_of,
    poll_operation,
    poll_started,
    poll_status,
)
from trove.client.session import Session


class Time:
    """Passes only during a sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def watcher(session: Session, time: Time) -> Watcher:
    return Watcher(session, timeout=10, clock=time.clock, sleep=time.sleep)


def operation(**changes: Any) -> dict[str, Any]:
    return {"id": "o", "workflow": "instance.create", "state": "running", "progress": 0} | changes


def test_it_is_polled_until_it_ends(service: Service, session: Session, watcher: Watcher) -> None:
    service.on(
        "GET",
        "/operations/o",
        Reply(200, {"operation": operation(progress=40, step="server.boot", note="booting")}),
        Reply(200, {"operation": operation(state="succeeded", progress=100)}),
    )
    seen: list[Progress] = []
    watcher.show = seen.append
    watcher.watch(poll_operation(session, "o"))
    assert seen == [
        Progress("instance.create", "running", 40, "server.boot", "booting", id="o"),
        Progress("instance.create", "succeeded", 100, id="o"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "failed", "error": "no space"}, r"create has failed: no space \(operation o\)"),
        ({"state": "cancelled"}, "was cancelled: no reason was given"),
        ({"state": "superseded"}, "was replaced by another operation"),
    ],
)
def test_a_bad_end_is_an_error(
    service: Service, session: Session, watcher: Watcher, changes: Any, message: str
) -> None:
    service.give("/operations/o", {"operation": operation(**changes)})
    with pytest.raises(OperationFailed, match=message):
        watcher.watch(poll_operation(session, "o"))


def test_it_polls_fast_at_first_and_slowly_later(
    service: Service, session: Session, watcher: Watcher, time: Time
) -> None:
    service.give("/operations/o", {"operation": operation()})
    with pytest.raises(TimedOut, match=r"after 10 s; it was not stopped.*operation-watch o"):
        watcher.watch(poll_operation(session, "o"))
    assert time.pauses[0] == QUICK
    assert time.pauses[-1] == SLOW


def test_even_without_time_there_is_one_poll(
    service: Service, session: Session, watcher: Watcher
) -> None:
    watcher.timeout = 0
    service.give("/operations/o", {"operation": operation(state="succeeded")})
    assert watcher.watch(poll_operation(session, "o")).state == "succeeded"


def test_a_service_that_restarts_is_waited_for(watcher: Watcher) -> None:
    answers: Iterator[Exception | Progress] = iter(
        [Unreachable("gone"), HttpError(503, "away"), Progress("x", "succeeded")]
    )

    def poll() -> Progress:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    seen: list[Progress] = []
    watcher.show = seen.append
    watcher.watch(poll)
    assert [each.note for each in seen] == [
        "waiting for the service: gone",
        "waiting for the service: away (HTTP 503)",
        "",
    ]


def test_a_refusal_is_not_waited_for(watcher: Watcher) -> None:
    def poll() -> Progress:
        raise HttpError(403, "no")

    with pytest.raises(HttpError):
        watcher.watch(poll)


def test_the_operation_of_a_request_is_found_while_polling(
    service: Service, session: Session, watcher: Watcher
) -> None:
    service.on(
        "GET",
        "/operations",
        # As often as one request is tried, and once more.
        *(Reply(503, {}, {"Retry-After": "0"}) for _ in range(5)),
        Reply(200, {"operations": [operation(subject_id="i", request_id="a")]}),
    )
    service.give("/operations/o", {"operation": operation(state="succeeded")})
    seen: list[Progress] = []
    watcher.show = seen.append
    watcher.watch(poll_started(session, Started("i", "a"), lambda: Progress("other", "succeeded")))
    assert "(HTTP 503)" in seen[0].note
    assert seen[-1].id == "o"


def test_what_is_watched_without_operations(session: Session, watcher: Watcher) -> None:
    poll = poll_started(session, Started("i", "a"), lambda: Progress("other", "succeeded"))
    assert watcher.watch(poll).workflow == "other"


class TestStarted:
    """Which operation a request has started."""

    @pytest.mark.parametrize(
        ("started", "expected"),
        [
            (Started("i", "a"), "1"),
            (Started("i", "b"), "2"),
            (Started("i", "c"), ""),
            (Started("i", ""), ""),
            (Started("i", "c", is_replayed=True), "2"),
            (Started("i", "a", "named"), "named"),
        ],
    )
    def test_that_of_the_request_and_no_other(
        self,
        service: Service,
        session: Session,
        watcher: Watcher,
        started: Started,
        expected: str,
    ) -> None:
        found = [
            operation(id="2", subject_id="i", created="2026-02", request_id="b"),
            operation(id="1", subject_id="i", created="2026-01", request_id="a"),
            operation(id="0", subject_id="other", created="2026-03", request_id="a"),
        ]
        service.give("/operations", {"operations": found})
        for each in ("1", "2", "named"):
            over = operation(id=each, state="succeeded")
            service.give(f"/operations/{each}", {"operation": over})
        poll = poll_started(session, started, lambda: Progress("by status", "failed"))
        assert watcher.watch(poll).id == expected

    def test_the_newest_of_an_instance(self, service: Service, session: Session) -> None:
        found = [
            operation(id=str(number), subject_id="i", created=f"2026-0{number}")
            for number in (1, 3, 2)
        ]
        service.give("/operations", {"operations": found})
        newest = newest_of(session, "i")
        assert newest is not None
        assert newest["id"] == "3"
        assert newest_of(session, "unknown") is None

    def test_a_service_without_operations(self, session: Session) -> None:
        assert newest_of(session, "i") is None

    def test_other_refusals_stand(self, service: Service, session: Session) -> None:
        service.on("GET", "/operations", Reply(403, {"forbidden": {"message": "no"}}))
        with pytest.raises(HttpError):
            newest_of(session, "i")


class TestByStatus:
    """A service that knows no operations."""

    def test_until_it_is_active(self, service: Service, session: Session, watcher: Watcher) -> None:
        statuses = [Reply(200, {"instance": {"status": word}}) for word in ("BUILD", "ACTIVE")]
        service.on("GET", "/instances/i", *statuses)
        assert watcher.watch(poll_status(session, "/instances/i", "instance")).note == (
            "status ACTIVE"
        )

    @pytest.mark.parametrize(
        ("more", "message"),
        [({"fault": {"message": "no space"}}, "no space"), ({}, "the status is ERROR")],
    )
    def test_an_error_is_one(
        self, service: Service, session: Session, watcher: Watcher, more: Any, message: str
    ) -> None:
        service.give("/instances/i", {"instance": {"status": "ERROR", **more}})
        with pytest.raises(OperationFailed, match=message):
            watcher.watch(poll_status(session, "/instances/i", "instance"))

    def test_until_it_is_gone(self, service: Service, session: Session, watcher: Watcher) -> None:
        gone = Reply(404, {"itemNotFound": {"code": 404, "message": "gone"}})
        there = Reply(200, {"instance": {"status": "SHUTDOWN"}})
        service.on("GET", "/instances/i", there, gone)
        poll = poll_status(session, "/instances/i", "instance", deleting=True)
        assert watcher.watch(poll).state == "succeeded"

    def test_an_instance_that_disappears_otherwise_is_an_error(
        self, session: Session, watcher: Watcher
    ) -> None:
        with pytest.raises(HttpError):
            watcher.watch(poll_status(session, "/instances/i", "instance"))
