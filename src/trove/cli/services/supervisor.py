"""Holds the listening sockets of a service, and starts the service again when it dies.

Run as a file by an interpreter without any packages, for it is to be small, and so it imports
nothing of Trove. Law: a socket that was handed over stays open until the service has ended as
requested.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
RESTART = signal.SIGUSR1
HANDLED = STOP | {RESTART, signal.SIGCHLD, signal.SIGIO}
"""Blocked, and waited for: so none can come between two instructions."""
KILL_AFTER = 12.0
"""Seconds from SIGTERM to SIGKILL: more than the service needs to stop."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
"""Seconds until a service that died is started again, doubled each time."""
STEADY = 60.0
"""Seconds after which a service counts as started well."""
FIRST_DESCRIPTOR = 3
"""Where passed sockets begin (sd_listen_fds(3))."""
ABOVE = 64
"""Descriptors that no passed socket is moved to."""
CONTROL = "SUPERVISOR_FD"
"""The variable that names the service's end of the connection to its supervisor."""


class Supervisor:
    """Of one service, which is its child from the beginning."""

    def __init__(self, child: int, control: socket.socket, command: Sequence[str]) -> None:
        self.child = child
        self.command = list(command)
        self.held: dict[str, int] = {}
        """Descriptors of listening sockets by their names."""
        self._is_stopping = self._is_restarting = False
        self._kill_at = 0.0
        self._delay = FIRST_DELAY
        self._watch(control)

    def run(self) -> int:
        """The exit code, once the service has ended for good."""
        while True:
            began = time.monotonic()
            code = self._await_end()
            self._receive()
            if self._is_stopping and code == -signal.SIGTERM:
                return 0
            # One that never listened cannot be started, and its message says why.
            if self._is_stopping or not self.held or (code == 0 and not self._is_restarting):
                return code
            if not self._is_restarting:
                self._report(code)
                if time.monotonic() - began > STEADY:
                    self._delay = FIRST_DELAY
                if not self._rest():
                    return 0
            self._is_restarting = False
            self._start()

    def _await_end(self) -> int:
        """Handle signals until the service has ended; its exit code, negative for a signal."""
        while True:
            left = max(0.0, self._kill_at - time.monotonic()) if self._kill_at else None
            number = _next_signal(left)
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                self._kill_at = 0.0
                self._note(number)
                return os.waitstatus_to_exitcode(status)
            if number is None:
                os.kill(self.child, signal.SIGKILL)
                self._kill_at = 0.0
            elif number == signal.SIGIO:
                self._receive()
            elif self._note(number):
                os.kill(self.child, signal.SIGTERM)
                self._kill_at = time.monotonic() + KILL_AFTER

    def _note(self, number: int | None) -> bool:
        """Remember what this signal requests; whether it requests the end of the process."""
        if number in STOP:
            self._is_stopping = True
        elif number == RESTART:
            self._is_restarting = True
        else:
            return False
        return True

    def _rest(self) -> bool:
        """Wait before the next attempt; False when the service is to stop instead."""
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        info = signal.sigtimedwait(STOP | {RESTART}, delay)
        return info is None or info.si_signo == RESTART

    def _report(self, code: int) -> None:
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        print(
            f"trove-standalone: process {self.child} ended {how}; its ports stay bound, and it is "
            f"started again in {self._delay:g} s",
            file=sys.stderr,
            flush=True,
        )

    def _watch(self, control: socket.socket) -> None:
        self._control = control
        control.setblocking(False)
        fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(control, fcntl.F_SETFL, fcntl.fcntl(control, fcntl.F_GETFL) | os.O_ASYNC)
        # What came before the signal was requested.
        self._receive()

    def _receive(self) -> None:
        """Hold what the service has handed over, in place of the earlier one of that name."""
        while True:
            try:
                message, passed, _, _ = socket.recv_fds(self._control, 4096, 1)
            except (BlockingIOError, ConnectionError):
                return
            if not message:
                return
            name = _name_in(message)
            if name in self.held:
                os.close(self.held.pop(name))
            if passed:
                # recv_fds drops the flag that would do it.
                os.set_inheritable(passed[0], False)
                self.held[name] = passed[0]

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.child = os.fork()
        if self.child == 0:
            try:
                _become(self.command, self.held, theirs)
            finally:
                os._exit(127)
        theirs.close()
        self._control.close()
        self._watch(ours)


def _next_signal(seconds: float | None) -> int | None:
    if seconds is None:
        return signal.sigwaitinfo(HANDLED).si_signo
    info = signal.sigtimedwait(HANDLED, seconds)
    return info.si_signo if info else None


def _name_in(message: bytes) -> str:
    lines = message.decode(errors="replace").splitlines()
    return next((line[len("FDNAME=") :] for line in lines if line.startswith("FDNAME=")), "")


def _become(command: list[str], held: dict[str, int], control: socket.socket) -> None:
    """In the new process: pass the sockets as an init system does, and begin as the service."""
    environ = dict(os.environ)
    environ["LISTEN_PID"] = str(os.getpid())
    environ["LISTEN_FDS"] = str(len(held))
    environ["LISTEN_FDNAMES"] = ":".join(held)
    # Out of the way first, for each may be where another has to be.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, ABOVE) for fd in held.values()]
    environ[CONTROL] = str(fcntl.fcntl(control, fcntl.F_DUPFD, ABOVE))
    for place, descriptor in enumerate(moved, FIRST_DESCRIPTOR):
        os.dup2(descriptor, place)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execve(command[0], command, environ)  # noqa: S606 - our own interpreter, without a shell


def main(arguments: Sequence[str]) -> int:
    """Takes the child's id, the descriptors of connection and lock, and the command."""
    child, control, lock = map(int, arguments[:3])
    # They were inheritable for the sake of this program; the service is to have neither.
    os.set_inheritable(control, False)
    os.set_inheritable(lock, False)
    code = Supervisor(child, socket.socket(fileno=control), arguments[3:]).run()
    # What is left in the file shows that the process was killed.
    os.ftruncate(lock, 0)
    # A shell's way of saying by which signal.
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
