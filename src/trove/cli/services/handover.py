"""Listening sockets that outlive a process: taken from a supervisor, and handed to it.

The protocol is systemd's (sd_listen_fds(3), sd_notify(3) with FDSTORE), which the supervisor of a
standalone service speaks too, over a connection of its own.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field

from trove.cli.services.serving import Endpoint
from trove.cli.services.supervisor import CONTROL, FIRST_DESCRIPTOR

log = logging.getLogger(__name__)

PASSED = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
VARIABLES = (*PASSED, "NOTIFY_SOCKET", CONTROL)


@dataclass
class Handover:
    """What was passed to this process, and the socket to those who keep what it listens on."""

    passed: list[tuple[str, socket.socket]] = field(default_factory=list)
    keeper: socket.socket | None = None
    is_supervised: bool = False

    def listener(self, name: str, endpoint: Endpoint) -> socket.socket:
        """A socket that listens there: the passed one, or a new one, which is kept from now on.

        Raises Failed when the address is not available.
        """
        for index, (_, candidate) in enumerate(self.passed):
            if endpoint.is_of(candidate):
                del self.passed[index]
                return candidate
        listener = endpoint.listen()
        self._forget(name)
        self._keep(name, listener)
        return listener

    def close(self) -> None:
        """Close what was passed and is not listened on any more: the settings have changed."""
        for name, listener in self.passed:
            self._send(f"FDSTOREREMOVE=1\nFDNAME={name}")
            listener.close()
        self.passed.clear()

    def end_with_supervisor(self) -> None:
        """End this process when the connection breaks, for the next start to find all free."""
        if self.keeper:
            threading.Thread(target=_await_end, args=[self.keeper], daemon=True).start()

    def _forget(self, name: str) -> None:
        for index, (passed, listener) in enumerate(self.passed):
            if passed == name:
                del self.passed[index]
                self._send(f"FDSTOREREMOVE=1\nFDNAME={name}")
                listener.close()
                return

    def _keep(self, name: str, listener: socket.socket) -> None:
        self._send(f"FDSTORE=1\nFDNAME={name}", listener.fileno())

    def _send(self, text: str, *descriptors: int) -> None:
        # Without it the service works as well.
        if self.keeper:
            with suppress(OSError):
                socket.send_fds(self.keeper, [text.encode()], descriptors)


def take_over(environ: MutableMapping[str, str]) -> Handover:
    """What this environment passes on; its variables are removed, for they are of one process."""
    values = {name: environ.pop(name, "") for name in VARIABLES}
    passed = _passed(values)
    is_supervised = bool(passed or values["NOTIFY_SOCKET"] or values[CONTROL])
    handover = Handover(passed, is_supervised=is_supervised)
    if values[CONTROL]:
        handover.keeper = socket.socket(fileno=int(values[CONTROL]))
        handover.keeper.set_inheritable(False)
    elif values["NOTIFY_SOCKET"]:
        handover.keeper = _connected(values["NOTIFY_SOCKET"])
    return handover


def _passed(values: MutableMapping[str, str]) -> list[tuple[str, socket.socket]]:
    # For another process, whose environment this one has inherited.
    if values["LISTEN_PID"] != str(os.getpid()):
        return []
    names = values["LISTEN_FDNAMES"].split(":")
    count = int(values["LISTEN_FDS"])
    names += [""] * (count - len(names))
    listeners = [socket.socket(fileno=FIRST_DESCRIPTOR + index) for index in range(count)]
    for listener in listeners:
        listener.set_inheritable(False)
    return list(zip(names, listeners, strict=False))


def _connected(path: str) -> socket.socket | None:
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        # An @ stands for the zero byte of an abstract address.
        keeper.connect("\0" + path[1:] if path.startswith("@") else path)
    except OSError as error:
        log.warning("sockets are not kept across restarts: %s: %s", path, error.strerror)
        keeper.close()
        return None
    return keeper


def _await_end(keeper: socket.socket) -> None:
    with suppress(OSError):
        keeper.recv(1)
    log.critical("the supervisor has ended, and so does the service: start it again")
    # As if it were killed with it: there is no order in which to stop, and none is needed.
    os._exit(1)
