"""The calls of `protocol/messages.py` over HTTP.

Law: whatever waits for the metadata database waits in a thread; whatever waits for a task waits
here and costs nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trove.conductor.calls import AgentCalls, Call, credential_in, is_report_alone, watched_in
from trove.conductor.reports import Reports
from trove.conductor.waiting import HeldCall, Waiting
from trove.engine.control import DUE
from trove.errors import Invalid, NotFound, NotSupported, TroveError, Unauthenticated, Unavailable
from trove.http_methods import HttpMethods
from trove.metrics import Metrics
from trove.models.task import DISPATCHED
from trove.protocol import (
    OLDEST_PROTOCOL,
    CertificateRequest,
    EnrolRequest,
    SyncAnswer,
    SyncRequest,
)
from trove.services.agents import OpenTask
from trove.services.installation import Installation
from trove.services.senders import Sender

log = logging.getLogger(__name__)

LONGEST_HOLD = 30.0
LARGEST_BODY = 4 * 1024 * 1024
THREADS = 8

STATUS: dict[type[Exception], int] = {
    Unauthenticated: 401,
    NotFound: 410,
    NotSupported: 426,
    Invalid: 400,
    Unavailable: 503,
}

M = TypeVar("M")
T = TypeVar("T")


class TooLarge(TroveError):
    """This message is larger than any agent sends."""


def create_app(installation: Installation, metrics: Metrics | None = None) -> Starlette:
    """The conductor of one installation; `metrics` are those of the process.

    `app.state.release` answers every held call at once: call it, from any thread, when the server
    begins to stop.
    """
    endpoint = Endpoint(AgentCalls(installation), metrics or Metrics())
    notifications = installation.database.notifications
    notifications.subscribe(DISPATCHED, endpoint.waiting.nudge)
    # An operation that turns back, or is superseded, withdraws its tasks.
    notifications.subscribe(DUE, endpoint.waiting.nudge_if_watched)
    app = Starlette(
        routes=[
            Route("/v1/enrol", endpoint.enrol, methods=["POST"]),
            Route("/v1/certificate", endpoint.certify, methods=["POST"]),
            Route("/v1/sync", endpoint.sync, methods=["POST"]),
            Route("/healthcheck", endpoint.healthcheck),
            Route("/metrics", endpoint.metrics),
        ],
        exception_handlers={
            TroveError: endpoint.refuse,
            DataError: endpoint.refuse_unstorable,
            SQLAlchemyError: endpoint.refuse_for_now,
        },
    )
    app.add_middleware(HttpMethods, routes=app.routes)
    app.state.nudge = endpoint.waiting.nudge
    app.state.release = endpoint.waiting.release
    return app


class Endpoint:
    """The calls, each with its message."""

    def __init__(self, calls: AgentCalls, metrics: Metrics) -> None:
        notifications = calls.installation.database.notifications
        self.waiting = Waiting(self._open_tasks, notifications.pause_after)
        self._metrics = metrics
        self._calls = calls
        self._threads = CapacityLimiter(THREADS)
        self._reports = Reports(self._store)

    async def enrol(self, request: Request) -> Response:
        message = await message_in(request, EnrolRequest)
        check_protocol(message.protocol)
        return self._answer(request, await self._in_thread(self._calls.enrol, message))

    async def certify(self, request: Request) -> Response:
        credential = credential_in(request.headers.get("authorization"))
        message = await message_in(request, CertificateRequest)
        return self._answer(
            request, await self._in_thread(self._calls.certify, credential, message)
        )

    async def sync(self, request: Request) -> Response:
        credential = credential_in(request.headers.get("authorization"))
        message = await message_in(request, SyncRequest)
        check_protocol(message.protocol)
        seen = self.waiting.nudges
        sender = await self._reports.stored((credential, message))
        instance_id, answer = sender.instance_id, self._calls.nothing()
        if sender.has_tasks or not is_report_alone(message):
            answer = await self._in_thread(self._calls.receive, instance_id, message)
        for result in message.results:
            self._metrics.results.labels("failed" if result.error else "succeeded").inc()
        self.waiting.unwatch(instance_id, [result.id for result in message.results])
        if _is_empty(answer) and message.hold > 0:
            with self._metrics.held.track_inprogress():
                answer = await self._hold(instance_id, message, answer, seen)
        self._metrics.orders.inc(len(answer.tasks))
        return self._answer(request, answer)

    async def healthcheck(self, _: Request) -> Response:
        await self._in_thread(self._calls.check)
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        body, kind = self._metrics.exposition()
        return Response(body, media_type=kind)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """An error that was raised on purpose, as a status and a sentence."""
        status = 413 if isinstance(error, TooLarge) else 500
        for kind, number in STATUS.items():
            if isinstance(error, kind):
                status = number
        log.info("%s answered %s: %s", request.url.path, status, error)
        return self._answer(request, {"error": str(error)}, status)

    async def refuse_unstorable(self, request: Request, _: Exception) -> Response:
        """Such as a NUL in a text: the same message would be refused forever."""
        return await self.refuse(request, Invalid("The message has values that cannot be stored."))

    async def refuse_for_now(self, request: Request, error: Exception) -> Response:
        log.warning("the metadata database does not answer: %s", error)
        body = {"error": "The metadata database does not answer; try again."}
        return self._answer(request, body, 503)

    def _answer(self, request: Request, message: Any, status: int = 200) -> Response:
        self._metrics.calls.labels(request.url.path.rpartition("/")[2], status).inc()
        return Response(msgspec.json.encode(message), status, media_type="application/json")

    async def _hold(
        self, instance_id: str, message: SyncRequest, answer: SyncAnswer, seen: int
    ) -> SyncAnswer:
        begun = time.monotonic()
        until = begun + min(message.hold, LONGEST_HOLD)
        watched = watched_in(message)
        # What woke the call may have been withdrawn before it is read: then the wait goes on.
        while _is_empty(answer) and (left := until - time.monotonic()) > 0:
            held = HeldCall(frozenset(message.busy), watched)
            if not await self.waiting.until_pending(instance_id, held, left, seen):
                break
            seen = self.waiting.nudges
            held_for = time.monotonic() - begun
            answer = await self._in_thread(self._calls.pending, instance_id, message, held_for)
        return answer

    async def _store(self, calls: Sequence[Call]) -> Sequence[Sender | Exception]:
        return await self._in_thread(self._calls.store, calls)

    async def _open_tasks(self) -> Sequence[OpenTask]:
        return await self._in_thread(self._calls.open_tasks)

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await to_thread.run_sync(function, *args, limiter=self._threads)


def _is_empty(answer: SyncAnswer) -> bool:
    return not answer.tasks and not answer.withdrawn


async def message_in(request: Request, kind: type[M]) -> M:
    """The message of a request; raises TooLarge or Invalid."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise TooLarge
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The message cannot be decoded: {error}") from None


def check_protocol(spoken: int) -> None:
    """Raises NotSupported for an agent that is too old."""
    if spoken < OLDEST_PROTOCOL:
        raise NotSupported(
            f"Protocol {spoken} is not supported any more, {OLDEST_PROTOCOL} is the oldest: "
            "upgrade the guest agent."
        )
