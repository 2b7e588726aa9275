"""uvicorn, adapted: the one module that imports it.

It builds on what uvicorn does not document (`HttpToolsProtocol`, `Server.startup`, `shutdown`,
`main_loop` and `capture_signals`), so `pyproject.toml` admits one minor version; read these before
a new one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trove.cli.services.connections import Acceptor, Limits

log = logging.getLogger(__name__)

GRACE = 5
"""Seconds that requests in flight get once the server stops."""
TICK = 1.0
"""Seconds after which the Date header is renewed."""
TICKS_PER_RENEWAL = 10
"""uvicorn renews the header in every tenth of its ticks."""
LONGEST_HEAD = 64 << 10
"""Bytes of the request line and all header lines; one read of the socket may add its own length."""
REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"requestHeaderFieldsTooLarge": {"code": 431, '
    b'"message": "The head of a request may have 65536 bytes."}}'
)


@dataclass(frozen=True)
class Tls:
    """The files of a certificate, and of its key unless that is in the same file."""

    certificate: str
    private_key: str | None = None


# httptools, unlike uvicorn's other parser, has no limit: a head that never ends would fill the
# memory before the client has shown a token.
class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request head is too long, or whose request does not arrive."""

    limits = Limits()
    _on_lost: Callable[[], None] = staticmethod(lambda: None)
    _in_head = True
    _is_receiving = True
    _length = 0
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    def within(
        cls, limits: Limits, on_lost: Callable[[], None], *args: Any, **options: Any
    ) -> BoundedHttp:
        """With these limits; `on_lost` is called when the connection has gone."""
        made = cls(*args, **options)
        made.limits, made._on_lost = limits, on_lost
        return made

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(self.limits.head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._on_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        # First: it may find the end of the head in this piece.
        super().data_received(data)
        self._length = self._length + len(data) if self._in_head else 0
        if self._length > LONGEST_HEAD and not self.transport.is_closing():
            self.transport.write(REFUSAL)
            self.transport.close()
        self._watch(was_in_head)

    def on_message_begin(self) -> None:
        self._in_head = self._is_receiving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_receiving = False
        super().on_message_complete()

    def _watch(self, was_in_head: bool) -> None:
        """Limit what is still to come of the request; most come whole, and need no timer."""
        if not (self._is_receiving or self._is_idle()):
            self._cancel()
        elif was_in_head and not self._in_head:
            self._expect(self.limits.body)
        elif self._timer is None:
            in_body = self._is_receiving and not self._in_head
            self._expect(self.limits.body if in_body else self.limits.head)

    def _is_idle(self) -> bool:
        # Then what came is no request: line ends between two of them, without an end.
        return self.cycle is None or bool(self.cycle.response_complete)

    def _expect(self, seconds: float) -> None:
        self._cancel()
        self._timer = self.loop.call_later(seconds, self._end)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        # Not close, which would wait for the client's part of the end of TLS.
        self.transport.abort()


class WebServer:
    """Serves one application on one listening socket, on the event loop that runs `serve`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        tls: Tls | None = None,
        proxies: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        """`proxies` are the addresses whose X-Forwarded headers are believed. Raises OSError or
        ssl.SSLError when the certificate cannot be used."""
        limits = limits or Limits()
        config = uvicorn.Config(
            app,
            http=BoundedHttp,
            # uvicorn would set up loggers of its own beside ours, and write one line for each
            # request a second time.
            log_config=None,
            access_log=False,
            # Clients need not know what serves here.
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=limits.idle,  # type: ignore[arg-type]
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.private_key if tls else None,
        )
        # uvicorn would do it later, on the loop, and a wrong certificate would end in a traceback.
        config.load()
        self._server = _Server(config, limits, proxies)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, listener: socket.socket) -> None:
        """Until `stop`; the socket is closed then."""
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[listener])

    def stop(self) -> None:
        """End `serve` once requests in flight are answered. From any thread."""
        self._server.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._server.stopping.set)


def _version_of(config: uvicorn.Config) -> list[int]:
    """What changes when the files of the certificate are replaced; none while one is missing."""
    try:
        files = [Path(str(file)).stat() for file in _files_of(config)]
    except OSError:
        return []
    return [number for file in files for number in (file.st_ino, file.st_mtime_ns)]


def _files_of(config: uvicorn.Config) -> list[object]:
    return [file for file in (config.ssl_certfile, config.ssl_keyfile) if file]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, limits: Limits, proxies: Sequence[str]) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self._limits = limits
        self._proxies = proxies
        self._certificate = _version_of(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, with acceptors that know limits in place of asyncio's servers."""
        await super().startup([])
        self.servers = [self._acceptor(listener) for listener in sockets or ()]  # type: ignore[misc]

    def _acceptor(self, listener: socket.socket) -> Acceptor:
        def protocol(on_lost: Callable[[], None]) -> BoundedHttp:
            return BoundedHttp.within(
                self._limits,
                on_lost,
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
            )

        return Acceptor(listener, protocol, self._limits, self.config.ssl, self._proxies)

    async def main_loop(self) -> None:
        # In place of ten ticks a second, which are most of what an idle process does.
        while not await self.on_tick(TICKS_PER_RENEWAL):
            self._renew_certificate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), TICK)

    def _renew_certificate(self) -> None:
        """Present the files as they are now to new connections."""
        version = _version_of(self.config)
        if version == self._certificate or not self.config.ssl:
            return
        # Also when it fails: once for each change, not once a second.
        self._certificate = version
        try:
            files = str(self.config.ssl_certfile), self.config.ssl_keyfile
            # First elsewhere: the one in use would lose its key to a certificate of another.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
            self.config.ssl.load_cert_chain(*files)
        except (OSError, ssl.SSLError) as error:
            # Key and certificate may be written one after the other: the later change counts.
            log.error("the certificate %s is not renewed: %s", self.config.ssl_certfile, error)
        else:
            log.info("the certificate %s is renewed", self.config.ssl_certfile)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """An idle client would answer the closing of TLS with its next request alone."""
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if self.config.is_ssl and (cycle is None or cycle.response_complete):
                # Only idle ones: a connection whose response is being sent keeps the grace.
                connection.transport.abort()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves them to the caller: uvicorn would raise them again after its end."""
        yield
