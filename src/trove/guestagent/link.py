"""The agent's side of the calls in `protocol/messages.py`, over one kept-alive connection.

`http.client` and no more: every agent of a machine pays for what is imported here.
"""

from __future__ import annotations

import http.client
import random
import ssl
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from trove import __version__
from trove.errors import (
    Failed,
    Invalid,
    NotFound,
    NotSupported,
    TroveError,
    Unauthenticated,
    Unavailable,
)
from trove.protocol import (
    CertificateAnswer,
    CertificateRequest,
    EnrolAnswer,
    EnrolRequest,
    SyncAnswer,
    SyncRequest,
)

TIMEOUT = 15.0
"""Seconds for an answer, on top of the time for which the conductor may hold the call."""
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 10.0

ERRORS: dict[int, type[TroveError]] = {
    400: Invalid,
    401: Unauthenticated,
    410: NotFound,
    413: Failed,
    426: NotSupported,
}

T = TypeVar("T")


class Link:
    """Calls one conductor. Belongs to one thread.

    Every call raises Unavailable (try again), Unauthenticated (enrol again), NotFound (the
    instance was deleted), NotSupported (the agent is too old), Invalid or Failed.
    """

    def __init__(
        self, url: str, authority: str | None = None, *, only_authority: bool = False
    ) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/")
        self._tls = _tls_of(authority, only_authority) if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def enrol(self, token: str, credential: str) -> EnrolAnswer:
        message = EnrolRequest(token, agent_version=__version__, credential=credential)
        return self._call("enrol", message, EnrolAnswer)

    def certificate(self, credential: str, csr: str) -> CertificateAnswer:
        return self._call("certificate", CertificateRequest(csr), CertificateAnswer, credential)

    def sync(self, credential: str, message: SyncRequest) -> SyncAnswer:
        return self._call("sync", message, SyncAnswer, credential, TIMEOUT + message.hold)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(
        self,
        name: str,
        message: Any,
        answer: type[T],
        credential: str | None = None,
        timeout: float = TIMEOUT,
    ) -> T:
        headers = {"Content-Type": "application/json"}
        if credential is not None:
            headers["Authorization"] = f"Bearer {credential}"
        status, body = self._exchange(
            f"{self._path}/v1/{name}", msgspec.json.encode(message), headers, timeout
        )
        if status != 200:
            raise ERRORS.get(status, Unavailable)(_reason_in(body) or f"{name}: HTTP {status}")
        try:
            return msgspec.json.decode(body, type=answer)
        except msgspec.MsgspecError as error:
            raise Unavailable(f"the answer to {name} cannot be decoded: {error}") from None

    def _exchange(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float
    ) -> tuple[int, bytes]:
        """A connection that was kept may have been closed meanwhile: then over a new one."""
        kept = self._connection is not None
        try:
            return self._send(path, body, headers, timeout)
        except (ConnectionError, http.client.HTTPException, OSError) as error:
            self.close()
            if kept and isinstance(error, (ConnectionError, http.client.BadStatusLine)):
                return self._exchange(path, body, headers, timeout)
            raise Unavailable(f"the conductor does not answer: {error}") from None

    def _send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float
    ) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect(timeout)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout, context=self._tls
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)


def pause_after(failures: int) -> float:
    """Seconds until the next attempt: longer each time, and not the same for all agents."""
    longest = min(SHORTEST_PAUSE * 2.0 ** min(failures, 20), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret


def _tls_of(authority: str | None, only_authority: bool) -> ssl.SSLContext:
    """Both kinds check certificate and name."""
    only = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = only if only_authority else ssl.create_default_context()
    if authority:
        context.load_verify_locations(cadata=authority)
    return context


def _reason_in(body: bytes) -> str | None:
    try:
        reason = msgspec.json.decode(body, type=dict[str, Any]).get("error")
    except msgspec.MsgspecError:
        return None
    return str(reason) if reason else None
