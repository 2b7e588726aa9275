"""One process that serves HTTP, and several that share a port.

Law: SIGTERM ends it within ten seconds, with 0; requests in flight are answered first.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
import uvloop
from starlette.types import ASGIApp

from trove.cli.services.heads import BoundedHeads
from trove.errors import Failed

log = logging.getLogger(__name__)

# Less than END, so that uvicorn ends by itself before it is killed.
GRACE = 5
"""Seconds that requests in flight get."""
END = 9.0
"""Seconds after which whoever still runs is killed."""
# Without it, a process that dies at once would keep the machine busy with forks.
BREATH = 1.0
"""Seconds before a process that died is started again."""
OPEN_FILES = 65_536
"""Two for each agent; the usual 1,024 would do for 500 instances."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Door:
    """Where to serve."""

    host: str
    port: int
    certificate: str | None = None
    private_key: str | None = None
    proxies: Sequence[str] = ()
    """Whoever else says that he calls for somebody is not believed."""

    def open(self) -> socket.socket:
        """Listen; raises Failed when the address can not be had."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # Named, or asyncio leaves Nagle's algorithm on: 40 ms for every answer.
        door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # The connections of the one that was here before linger for a minute, and would keep the
        # port.
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((self.host, self.port))
        except OSError as error:
            door.close()
            raise Failed(f"can not listen on {self.host}:{self.port}: {error.strerror}") from None
        door.listen(2048)
        return door


@dataclass(frozen=True)
class Site:
    """What is served at one door; `on_stop` is called when a signal has come."""

    door: Door
    app: ASGIApp
    listener: socket.socket
    on_stop: Callable[[], None] = lambda: None

    def server(self) -> uvicorn.Server:
        """Raises Failed when the certificate can not be used."""
        config = uvicorn.Config(
            self.app,
            http=BoundedHeads,
            # uvicorn would set up loggers of its own beside ours, and one line for each request a
            # second time.
            log_config=None,
            access_log=False,
            # Nobody outside needs to know what serves here.
            server_header=False,
            proxy_headers=bool(self.door.proxies),
            forwarded_allow_ips=list(self.door.proxies),
            timeout_graceful_shutdown=GRACE,
            ssl_certfile=self.door.certificate,
            ssl_keyfile=self.door.private_key,
        )
        try:
            # uvicorn would do it later, on the loop, and a wrong certificate would end in a
            # traceback.
            config.load()
        except (OSError, ssl.SSLError) as error:
            told = f"the certificate {self.door.certificate} can not be used: {error}"
            raise Failed(told) from None
        log.info("listening on %s:%d", self.door.host, self.door.port)
        return _Server(config)


def serve(*sites: Site) -> None:
    """Serve all of these until a signal. Raises Failed."""
    _open_many_files()
    servers = [site.server() for site in sites]
    # What is there by now stays. A collection that walks all of it holds up requests for 60 ms.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sites, servers))


def share(workers: int, work: Callable[[], None]) -> None:
    """Let so many processes do this work behind one listening socket, until a signal.

    Call it before any thread is started or any database asked: each process is a fork.
    """
    herd = _Herd(work)
    for _ in range(workers):
        herd.start_one()
    herd.watch()
    herd.stop()


def _open_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    # The soft limit is ours to raise up to the hard one; beyond it only root may.
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """Leaves signals to `_serve`: uvicorn would raise them again after its end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Whoever rests between two calls would answer the goodbye of TLS with the next alone."""
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if self.config.is_ssl and (cycle is None or cycle.response_complete):
                # Only who rests: a connection whose answer goes out keeps the grace.
                connection.transport.abort()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(sites: Sequence[Site], servers: Sequence[uvicorn.Server]) -> None:
    def end() -> None:
        log.info("stopping")
        for site, server in zip(sites, servers, strict=True):
            server.should_exit = True
            site.on_stop()

    for number in SIGNALS:
        # On the loop: a plain handler runs between any two instructions, where a lock may be held.
        asyncio.get_running_loop().add_signal_handler(number, end)
    await asyncio.gather(
        *(
            server.serve(sockets=[site.listener])
            for site, server in zip(sites, servers, strict=True)
        )
    )


class _Herd:
    """The parent's view of the processes that it has forked."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._pids: set[int] = set()
        self._stopping = False
        for number in SIGNALS:
            signal.signal(number, self._begin_to_stop)

    def start_one(self) -> None:
        pid = os.fork()
        if pid == 0:
            _be_a_worker(self._work)
        self._pids.add(pid)

    def watch(self) -> None:
        """Replace processes that die, until a signal."""
        while not self._stopping:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                return
            self._pids.discard(pid)
            if not self._stopping:
                log.error("process %d died (status %d), starting another", pid, status)
                time.sleep(BREATH)
                if not self._stopping:  # the signal may have come meanwhile, and comes once
                    self.start_one()

    def stop(self) -> None:
        """Wait for all to end, and end those that do not."""
        deadline = time.monotonic() + END
        while self._pids and time.monotonic() < deadline:
            self._pids -= {pid for pid in self._pids if os.waitpid(pid, os.WNOHANG)[0]}
            time.sleep(0.05)
        self._signal(signal.SIGKILL)

    def _begin_to_stop(self, *_: object) -> None:
        self._stopping = True
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for pid in self._pids:
            os.kill(pid, number)


def _be_a_worker(work: Callable[[], None]) -> None:
    """Never returns: what the parent would do next is not this process's business."""
    for number in SIGNALS:
        # The parent's handlers came with the fork, and would signal the siblings.
        signal.signal(number, signal.SIG_DFL)
    code = 1
    try:
        work()
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        # exit() would run what the parent has registered for its own end.
        os._exit(code)
