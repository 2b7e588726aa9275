"""Serves applications over HTTP in one process, until a signal.

Law: SIGTERM ends it within ten seconds, with 0; requests in flight are answered first.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop
from starlette.types import ASGIApp

from trove.cli.services.connections import Limits
from trove.cli.services.web_server import Tls, WebServer
from trove.errors import Failed

log = logging.getLogger(__name__)

OPEN_FILES = 65_536
"""Two for each agent; the usual 1,024 would do for 500 instances."""
BACKLOG = 2048
FULL_COLLECTION = 1000
"""Collections of younger objects until all are looked at; Python's own is 10."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Endpoint:
    """Where to serve, and how."""

    host: str
    port: int
    tls: Tls | None = None
    proxies: Sequence[str] = ()
    """The addresses whose X-Forwarded headers are believed."""
    limits: Limits = field(default_factory=Limits)

    def listen(self) -> socket.socket:
        """Raises Failed when the address is not available."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # With the protocol named, or asyncio leaves Nagle's algorithm on: 40 ms for every answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Connections of the previous process linger for a minute, and would keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
        except OSError as error:
            listener.close()
            raise Failed(f"cannot listen on {self.host}:{self.port}: {error.strerror}") from None
        listener.listen(BACKLOG)
        return listener

    def is_of(self, listener: socket.socket) -> bool:
        """Whether this socket listens here already."""
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return listener.getsockname()[:2] in {address[:2] for *_, address in found}


@dataclass(frozen=True)
class Site:
    """What is served at one endpoint; `on_stop` is called when a signal has come."""

    endpoint: Endpoint
    app: ASGIApp
    listener: socket.socket
    on_stop: Callable[[], None] = lambda: None

    def server(self) -> WebServer:
        """Raises Failed when the certificate cannot be used."""
        at = self.endpoint
        try:
            limits = at.limits.within(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
            server = WebServer(self.app, tls=at.tls, proxies=at.proxies, limits=limits)
        except (OSError, ssl.SSLError) as error:
            certificate = at.tls.certificate if at.tls else None
            raise Failed(f"the certificate {certificate} cannot be used: {error}") from None
        log.info("listening on %s:%d", at.host, at.port)
        return server


def serve(*sites: Site) -> None:
    """Serve all of these until a signal. Raises Failed."""
    _raise_open_files_limit()
    servers = [site.server() for site in sites]
    _collect_rarely()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sites, servers))


def _collect_rarely() -> None:
    """A collection that walks all objects delays requests: by 60 ms of those that exist by now,
    which stay, and by 200 ms of those of 5,000 held calls, which are no garbage when they end."""
    gc.collect()
    gc.freeze()
    first, second, _ = gc.get_threshold()
    gc.set_threshold(first, second, FULL_COLLECTION)


def _raise_open_files_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    # Any process may raise its soft limit up to the hard one; beyond it only root may.
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(sites: Sequence[Site], servers: Sequence[WebServer]) -> None:
    def stop() -> None:
        log.info("stopping")
        for site, server in zip(sites, servers, strict=True):
            server.stop()
            site.on_stop()

    for number in SIGNALS:
        # On the loop: a plain handler runs between any two instructions, where a lock may be held.
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(
        *(server.serve(site.listener) for site, server in zip(sites, servers, strict=True))
    )
