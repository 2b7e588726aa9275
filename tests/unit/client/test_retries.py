"""A service that cannot answer now: the client waits, or reports when to try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import Reply, Service
from trove.client.errors import HttpError
from trove.client.session import Session

TEXT = "Only 5 GET request(s) can be made to * every minute."
GOOD = Reply(200, {"instances": []})


def limited(seconds: object = 12, status: int = 413) -> Reply:
    body = {"overLimit": {"code": status, "message": TEXT, "retryAfter": seconds}}
    return Reply(status, body, {"Retry-After": str(seconds)})


class Pauses:
    """Records notices and pauses, without waiting."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.slept: list[float] = []

    @property
    def hooks(self) -> dict[str, Any]:
        return {"notice": self.notices.append, "sleep": self.slept.append}


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def patient(service: Service, open_session: Callable[..., Session], pauses: Pauses) -> Session:
    return open_session(endpoint=service.endpoint, token="t", pauses=pauses.hooks)


@pytest.mark.parametrize("status", [413, 429])
def test_a_get_waits_as_long_as_requested(
    service: Service, patient: Session, pauses: Pauses, status: int
) -> None:
    service.on("GET", "/instances", limited(12, status), limited(3, status), GOOD)
    assert patient.get("/instances") == {"instances": []}
    assert pauses.slept == [12, 3]
    assert pauses.notices[0] == f"{TEXT} Trying again in 12 s."


def test_after_the_last_attempt_it_is_an_error(
    service: Service, patient: Session, pauses: Pauses
) -> None:
    service.on("GET", "/instances", limited())
    with pytest.raises(HttpError, match=r"try again in 12 s. \(HTTP 413\)"):
        patient.get("/instances")
    assert pauses.slept == [12, 12]


def test_a_long_wait_is_an_error_at_once(
    service: Service, patient: Session, pauses: Pauses
) -> None:
    service.on("GET", "/instances", limited(61))
    with pytest.raises(HttpError, match=r"Nothing was done; try again in 61 s\."):
        patient.get("/instances")
    assert pauses.slept == []


def test_anything_but_a_get_is_not_repeated(
    service: Service, patient: Session, pauses: Pauses
) -> None:
    service.on("POST", "/instances", limited())
    with pytest.raises(HttpError, match=r"every minute. Nothing was done; try again in 12 s\."):
        patient.post("/instances", {})
    assert (len(service.received), pauses.slept) == (1, [])


@pytest.mark.parametrize("header", [{}, {"Retry-After": "soon"}])
def test_a_quota_is_no_rate(
    service: Service, patient: Session, pauses: Pauses, header: dict[str, str]
) -> None:
    service.on("GET", "/instances", Reply(413, {"overLimit": {"message": "Full."}}, header))
    with pytest.raises(HttpError, match=r"^Full. \(HTTP 413\)$"):
        patient.get("/instances")
    assert pauses.slept == []


def test_a_busy_service_is_tried_again(service: Service, patient: Session, pauses: Pauses) -> None:
    busy = {"serviceUnavailable": {"message": "The metadata database does not answer."}}
    refusal = Reply(503, busy, {"Retry-After": "5"})
    service.on("GET", "/instances", refusal, Reply(503), GOOD)
    patient.get("/instances")
    assert pauses.slept == [5, 0.4]
    assert pauses.notices == [
        "The metadata database does not answer. Trying again in 5 s.",
        "Trying again in 0.4 s.",
    ]
