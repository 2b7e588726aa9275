"""Every error as status and name on the wire: the one table. HTTP numbers stand here alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from trove import errors
from trove.db import is_disk_full
from trove.services.idempotency import KeyReused

JSON_TYPE = "application/json"
GZIP = b"\x1f\x8b"
# A list of a hundred wrong users would otherwise be answered with a hundred sentences.
MESSAGES_SHOWN = 3
"""How many faults of one malformed request its answer names."""


class AdminOnly(errors.Forbidden):
    """This is for administrators only."""


class NotAcceptable(errors.TroveError):
    """This version or media type is not served; request application/json and version 1.0."""


class UnsupportedMediaType(errors.TroveError):
    """The body must be application/json."""


class TooLarge(errors.TroveError):
    """The request body is too large."""


class Row(NamedTuple):
    status: int
    name: str


# The number decides what python-troveclient raises. Looked up along the bases, so that what has no
# row answers as its parent: a name that exists already is 400, as it always was on this wire.
TABLE: Mapping[type[errors.TroveError], Row] = {
    errors.Invalid: Row(400, "badRequest"),
    errors.Unauthenticated: Row(401, "unauthorized"),
    # Everywhere else a refusal is 403; below /mgmt the wire has always said 401.
    AdminOnly: Row(401, "unauthorized"),
    errors.Forbidden: Row(403, "forbidden"),
    # Clients try an id first and look for a name when they get 404, so nothing softer will do.
    errors.NotFound: Row(404, "itemNotFound"),
    NotAcceptable: Row(406, "notAcceptable"),
    errors.Conflict: Row(409, "conflict"),
    # 413 where others say 429: python-troveclient knows too many requests by this number alone.
    errors.OverQuota: Row(413, "overLimit"),
    errors.RateLimited: Row(413, "overLimit"),
    TooLarge: Row(413, "overLimit"),
    UnsupportedMediaType: Row(415, "badMediaType"),
    errors.NotReady: Row(422, "unprocessableEntity"),
    # Not 409, although it is a Conflict: waiting and trying again cannot help here.
    KeyReused: Row(422, "unprocessableEntity"),
    errors.Failed: Row(500, "serverError"),
    errors.TroveError: Row(500, "instanceFault"),
    errors.NotSupported: Row(501, "notImplemented"),
    errors.Unavailable: Row(503, "serviceUnavailable"),
}

OF_FRAMEWORK: Mapping[int, Row] = {
    400: Row(400, "badRequest"),
    404: Row(404, "itemNotFound"),
    405: Row(405, "badMethod"),
    413: Row(413, "overLimit"),
}
"""What the framework itself raises."""


HEADERS: Mapping[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Keystone"},
}
"""Of errors, beside the body. No Retry-After with 413: python-troveclient fails on it, and its
users never see what went wrong."""


class Answer(NamedTuple):
    """An error on the wire."""

    status: int
    body: bytes
    headers: dict[str, str]

    def response(self) -> Response:
        return Response(self.body, self.status, self.headers, JSON_TYPE)


def answer_to(error: Exception, request_id: str) -> Answer:
    """What is answered when this was raised."""
    if isinstance(error, errors.TroveError):
        return _answer_to_own(error)
    if isinstance(error, RequestValidationError):
        return answer(OF_FRAMEWORK[400], text_of(error.errors()))
    if isinstance(error, HTTPException):
        row = OF_FRAMEWORK.get(error.status_code, Row(error.status_code, "computeFault"))
        return answer(row, reason_of(error), headers=dict(error.headers or {}))
    if isinstance(error, (DBAPIError, PoolTimeout)):
        return _answer_to_own(_database_error(error))
    return answer(
        # What an unforeseen error says may hold anything; the log has it under this id.
        TABLE[errors.TroveError],
        f"The server failed to serve this request. Report its id to an operator: {request_id}",
    )


def _database_error(error: DBAPIError | PoolTimeout) -> errors.TroveError:
    """Without the driver's message, which contains statements and their values."""
    if isinstance(error, IntegrityError):
        return errors.Conflict("Another change was made at the same time; try again.")
    if isinstance(error, DataError):
        return errors.Invalid("A value is too long, or out of range, to be stored.")
    if isinstance(error, DBAPIError) and is_disk_full(error):
        return errors.Unavailable("The disk of the metadata database is full; make room on it.")
    return errors.Unavailable("The metadata database does not answer.")


def answer(row: Row, message: str, *, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    # The message may quote what clients sent: a lone surrogate cannot be encoded.
    text = message.encode("utf-8", "replace").decode()
    body = orjson.dumps({row.name: {"code": row.status, "message": text, **more}})
    return Answer(row.status, body, headers or {})


def reason_of(error: HTTPException) -> str:
    """What the framework has refused, and why: it says of a body only that it cannot be read."""
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        return _decoding_fault(cause)
    if isinstance(cause, RecursionError):
        return "body: not valid JSON: nested too deeply"
    # Such as a number of more than 4300 digits.
    if isinstance(cause, ValueError):
        return f"body: not valid JSON: {cause}"
    return str(error.detail)


def _decoding_fault(error: UnicodeDecodeError) -> str:
    if error.object.startswith(GZIP):
        return "body: it is compressed by gzip; send plain JSON, without a Content-Encoding"
    byte = error.object[error.start]
    return f"body: not UTF-8, as JSON must be: byte 0x{byte:02x} at position {error.start}"


def text_of(faults: Sequence[Any]) -> str:
    """Faults of a malformed request in one line, each with its field."""
    texts = [_fault_text(fault) for fault in faults[:MESSAGES_SHOWN]]
    return "; ".join(dict.fromkeys(texts))


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def handle(request: Request, error: Exception) -> Response:
    """The framework's handler of every error that is raised on purpose."""
    return answer_to(error, request.scope["trove.exchange"].request_id).response()


def _answer_to_own(error: errors.TroveError) -> Answer:
    # The nearest base that has a row: every TroveError ends at its own.
    row = next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    if isinstance(error, errors.RateLimited):
        # Whole seconds, for python-troveclient reads them with int(); never 0, or clients come back
        # at once.
        seconds = max(1, round(error.retry_after))
        return answer(
            row,
            error.message,
            headers={"Retry-After": str(seconds)},
            # The wire has it in the body as well, under these two names.
            details=error.message,
            retryAfter=seconds,
        )
    return answer(row, error.message, headers=HEADERS.get(row.status))


def _fault_text(fault: Mapping[str, Any]) -> str:
    # FastAPI puts before it where it was found: body, query or path.
    field = ".".join(str(part) for part in fault["loc"][1:])
    # pydantic writes this before whatever a validator raised.
    message = str(fault["msg"]).removeprefix("Value error, ")
    # Its place is an offset into the body, which would read like the name of a field.
    if fault["type"] == "json_invalid":
        return f"body: not valid JSON: {fault.get('ctx', {}).get('error', message)}"
    return f"{field or fault['loc'][0]}: {message}"
