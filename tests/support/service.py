"""A small real HTTP server with fixed answers, which records the requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support import slot

PROJECT = "7c2f0d4e9b1a4f6c8d3e5a7b9c1d3e5f"
ROOT = f"/v1.0/{PROJECT}"


@dataclass(frozen=True)
class Received:
    """A request that came in; `path` is as it was on the wire, without the query."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def short(self) -> str:
        """Below the project."""
        return self.path.removeprefix(ROOT)


@dataclass(frozen=True)
class Reply:
    """What is answered; `cut` breaks the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Answer = Reply | Callable[[Received], Reply]


class Service:
    """Routes are (method, path); several answers to one route come one after the other."""

    def __init__(self, address: str | None = None) -> None:
        self.routes: dict[tuple[str, str], list[Answer]] = {}
        self.received: list[Received] = []
        self.server = ThreadingHTTPServer((address or slot.address(75), 0), _handler_of(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self) -> str:
        host, port = self.server.socket.getsockname()
        return f"http://{host}:{port}"

    @property
    def endpoint(self) -> str:
        return self.url + ROOT

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """A path that begins with a version is absolute, any other is below the project."""
        self.routes[method, path if path.startswith(("/v1.0", "/v3")) else ROOT + path] = list(
            answers
        )

    def give(self, path: str, body: Any) -> None:
        self.on("GET", path, Reply(200, body))

    def answer(self, request: Received) -> Reply:
        self.received.append(request)
        answers = self.routes.get((request.method, request.path))
        if answers is None:
            message = f"{request.method} {request.short} could not be found."
            return Reply(404, {"itemNotFound": {"code": 404, "message": message}})
        chosen = answers.pop(0) if len(answers) > 1 else answers[0]
        return chosen(request) if callable(chosen) else chosen

    def knows_identity(self, *tokens: str, expires: str = "2999-01-01T00:00:00.000000Z") -> None:
        """Accept any user, with these tokens one after the other."""

        def reply(token: str) -> Reply:
            return Reply(201, {"token": self.token(expires)}, {"X-Subject-Token": token})

        self.on("POST", "/v3/auth/tokens", *(reply(token) for token in tokens or ("a-token",)))

    def token(self, expires: str) -> dict[str, Any]:
        return {
            "expires_at": expires,
            "project": {"id": PROJECT, "name": "demo"},
            "catalog": [
                {"type": "identity", "name": "keystone", "endpoints": []},
                {
                    "type": "database",
                    "name": "trove",
                    "endpoints": [
                        {"interface": "public", "region_id": "RegionOne", "url": self.endpoint},
                        {"interface": "internal", "region_id": "RegionOne", "url": self.url},
                    ],
                },
            ],
        }


def _handler_of(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            request = Received(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=json.loads(raw) if raw else None,
            )
            self.send(service.answer(request))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        def send(self, reply: Reply) -> None:
            if reply.cut:
                self.close_connection = True
                return
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            data = b"" if reply.body is None else text.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Be quiet."""

    return Handler
