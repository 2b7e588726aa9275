"""The outermost layer by itself: ids, failures, counts, and what is no request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trove.api.outermost import Outermost
from trove.metrics import Metrics


def call(app: ASGIApp, **scope: Any) -> tuple[list[Message], str]:
    """What is sent to the client, and what is counted."""
    sent: list[Message] = []
    metrics = Metrics()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    request = {"type": "http", "method": "GET", "path": "/", "headers": []} | scope
    asyncio.run(Outermost(app, metrics)(request, receive, send))
    return sent, metrics.exposition()[0].decode()


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("a secret")


async def broken_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ZeroDivisionError


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"{}")(scope, receive, send)


def test_an_unforeseen_failure_is_answered_with_its_id_and_counted() -> None:
    (start, body), counted = call(broken)
    fault = orjson.loads(body["body"])["instanceFault"]
    request_id = dict(start["headers"])[b"x-openstack-request-id"].decode()
    assert (start["status"], fault["code"]) == (500, 500)
    assert request_id in fault["message"] and "secret" not in fault["message"]
    assert 'trove_api_requests_total{method="GET",route="unmatched",status="500"} 1.0' in counted


def test_a_failure_after_the_answer_has_begun_is_the_servers() -> None:
    with pytest.raises(ZeroDivisionError):
        call(broken_midway)


def test_each_request_is_logged_with_its_status(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "trove.api.outermost"):
        call(fine, path="/v1.0")
    assert caplog.messages[0].startswith("GET /v1.0 200 ")


def test_what_is_no_request_passes_untouched() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    sent, counted = call(app, type="lifespan")
    assert (passed, sent) == (["lifespan"], [])
    assert "trove_api_requests_total{" not in counted
