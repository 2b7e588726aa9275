"""Several processes that do the same work behind one listening socket."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

from trove.cli.services.serving import SIGNALS

log = logging.getLogger(__name__)

END = 9.0
"""Seconds after which a process that still runs is killed: more than the web server's grace."""
RESTART_DELAY = 1.0
"""Seconds before a process that died is replaced. Without it, one that dies at once would keep the
machine busy with forks."""
LOOK_EVERY = 0.05


def share(workers: int, work: Callable[[], None]) -> None:
    """Let so many processes do this work, until a signal.

    Call it before any thread is started or any database connected: each process is a fork.
    """
    processes = _Workers(work)
    for _ in range(workers):
        processes.start_one()
    processes.watch()
    processes.stop()


class _Workers:
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
            _run_worker(self._work)
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
                log.error("worker process %d died (status %d), starting another", pid, status)
                time.sleep(RESTART_DELAY)
                if not self._stopping:  # the signal may have come meanwhile, and comes once
                    self.start_one()

    def stop(self) -> None:
        """Wait for all to end, and kill those that do not."""
        deadline = time.monotonic() + END
        while self._pids and time.monotonic() < deadline:
            self._pids -= {pid for pid in self._pids if os.waitpid(pid, os.WNOHANG)[0]}
            time.sleep(LOOK_EVERY)
        self._signal(signal.SIGKILL)

    def _begin_to_stop(self, *_: object) -> None:
        self._stopping = True
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for pid in self._pids:
            os.kill(pid, number)


def _run_worker(work: Callable[[], None]) -> None:
    """Never returns: what follows in the parent must not run in this process."""
    for number in SIGNALS:
        # The fork copied the parent's handlers, which would signal the siblings.
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
