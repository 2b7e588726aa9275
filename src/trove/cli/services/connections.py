"""Accepts the connections of one listening socket, as many as its limits allow.

Law: a connection counts from its acceptance on, before its TLS handshake, and until it is lost;
so none that sends nothing can take the place of others for longer than its time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

log = logging.getLogger(__name__)

BATCH = 128
"""Connections that are accepted before others get their turn."""
PAUSE = 0.5
"""Seconds until the next attempt when the process has no descriptor left."""
SHUTDOWN = 5.0
"""Seconds for the other side to end TLS too."""
SHARE = 3
"""Of the process's descriptors one endpoint takes at most this part: two of them, and the rest."""


@dataclass(frozen=True)
class Limits:
    """Seconds, and connections of one endpoint."""

    handshake: float = 10.0
    head: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the head."""
    body: float = 60.0
    """From the end of the head to the end of the body."""
    idle: float = 5.0
    """From one answer to the next request."""
    total: int = 8192
    per_peer: int = 1024
    """Of one address, unless it is a trusted proxy's."""

    def within(self, descriptors: int) -> Limits:
        """The same in a process that may open so many files."""
        return replace(self, total=max(1, min(self.total, descriptors // SHARE)))


class ConnectionCount:
    """How many connections there are, and of whom."""

    def __init__(self, limits: Limits, proxies: Sequence[str] = ()) -> None:
        self._limits = limits
        self._proxies = frozenset(proxies)
        self._of_peer: Counter[str] = Counter()
        self._count = 0

    def admit(self, peer: str) -> Callable[[], None] | None:
        """Call what is returned when the connection is lost; None if there are too many."""
        is_limited = peer not in self._proxies
        if self._count >= self._limits.total:
            return None
        if is_limited and self._of_peer[peer] >= self._limits.per_peer:
            return None
        self._count += 1
        self._of_peer[peer] += 1
        leave = [peer]

        def release() -> None:
            # Once: a handshake may fail, and its connection be lost as well.
            if leave:
                self._forget(leave.pop())

        return release

    def _forget(self, peer: str) -> None:
        self._count -= 1
        self._of_peer[peer] -= 1
        if not self._of_peer[peer]:
            del self._of_peer[peer]


ProtocolFor = Callable[[Callable[[], None]], asyncio.Protocol]
"""The protocol of a new connection, which calls its argument when it is lost."""


class Acceptor:
    """In place of asyncio's server, which counts a connection only after its TLS handshake."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: ProtocolFor,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        proxies: Sequence[str] = (),
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._limits = limits
        self._tls = tls
        self._connections = ConnectionCount(limits, proxies)
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._is_closed = False
        listener.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more; connections stay."""
        self._is_closed = True
        self._loop.remove_reader(self._listener)
        for task in self._connecting:
            task.cancel()

    async def wait_closed(self) -> None:
        """Once no handshake goes on."""
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _resume(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # It would be ready again at once, and keep the processor busy.
                log.error("no connection can be accepted: %s", error.strerror)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE, self._resume)
                return
            self._take(connection, str(address[0]))

    def _take(self, connection: socket.socket, peer: str) -> None:
        release = self._connections.admit(peer)
        if release is None:
            log.debug("too many connections; one of %s is refused", peer)
            connection.close()
            return
        connection.setblocking(False)
        # 40 ms for every answer otherwise.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._connect(connection, release))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket, release: Callable[[], None]) -> None:
        handshake, shutdown = (self._limits.handshake, SHUTDOWN) if self._tls else (None, None)
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._protocol(release),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=handshake,
                ssl_shutdown_timeout=shutdown,
            )
        except (OSError, asyncio.CancelledError) as error:
            # Whatever comes in is no fault of ours: other protocols, no certificate, nothing.
            log.debug("a connection did not come about: %s", error)
            release()
            with contextlib.suppress(OSError):
                connection.close()
