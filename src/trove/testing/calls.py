"""How a fake agent reaches a conductor: through a socket, or in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import urllib3

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
"""An ASGI application."""


class Calls(Protocol):
    """One POST of JSON to a conductor: the status and the body of its answer."""

    def post(self, path: str, body: bytes, credential: str | None = None) -> tuple[int, bytes]: ...


class HttpCalls:
    """Through a socket; `authority` is the file of the certificates that are trusted."""

    def __init__(self, url: str, authority: str | None = None, timeout: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, ca_certs=authority)

    def post(self, path: str, body: bytes, credential: str | None = None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} | _authorization_of(credential)
        answer = self._pool.request("POST", self._url + path, body=body, headers=headers)
        return answer.status, answer.data

    def close(self) -> None:
        self._pool.clear()


class AppCalls:
    """To an ASGI application in this process, from a thread without an event loop."""

    def __init__(self, app: App) -> None:
        self._app = app

    def post(self, path: str, body: bytes, credential: str | None = None) -> tuple[int, bytes]:
        return asyncio.run(self._exchange(path, body, _authorization_of(credential)))

    async def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        status, parts = 0, []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        await self._app(_scope_of(path, headers), receive, send)
        return status, b"".join(parts)


def _scope_of(path: str, headers: dict[str, str]) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
        "client": None,
        "server": None,
    }


def _authorization_of(credential: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"} if credential else {}
