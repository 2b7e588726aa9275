"""A process's worth of runners: threads that take up operations, and one that keeps leases.

Law: an idle pool looks at the database rarely, and only one of its threads does; a nudge makes
it look at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from trove.engine.lease import Lease
from trove.engine.runner import Runner

log = logging.getLogger(__name__)

SHORTEST_NAP = 0.02
LONGEST_NAP = 0.125
PAUSE_AFTER_ERROR = 0.25
RENEWALS_PER_LEASE = 4


class Pool:
    """Runs one runner on several threads until it is stopped."""

    def __init__(self, runner: Runner, threads: int = 4) -> None:
        self._runner = runner
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._nudged = threading.Event()
        self._lookout = threading.Lock()
        """Whoever has it looks for what is due; the others wait for it or are at work."""
        self._threads = [
            threading.Thread(target=self._work, name=f"runner-{n}", daemon=True)
            for n in range(threads)
        ]
        self._renewer = threading.Thread(target=self._renew, name="lease-renewer", daemon=True)

    def start(self) -> None:
        for thread in (*self._threads, self._renewer):
            thread.start()

    def nudge(self) -> None:
        """There may be something due: look now."""
        self._nudged.set()

    def stop(self, timeout: float = 8.0) -> None:
        """Let each thread finish its step; what takes longer is taken up by another process."""
        self._stopping.set()
        self._nudged.set()
        deadline = time.monotonic() + timeout
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._over.set()

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    def _work(self) -> None:
        while self._goes_on():
            if not _outlived(self._advance_one):
                self._stopping.wait(PAUSE_AFTER_ERROR)

    def _advance_one(self) -> None:
        with self._lookout:
            lease = self._next_lease()
        if lease:
            self._runner.advance(lease, self._goes_on)

    def _next_lease(self) -> Lease | None:
        """Waits for something due; None when the pool is to stop."""
        nap = SHORTEST_NAP
        while True:
            self._nudged.clear()  # before looking, so that no nudge is lost
            if not self._goes_on():
                return None
            lease = self._runner.leases.take()
            if lease:
                return lease
            nap = SHORTEST_NAP if self._nudged.wait(nap) else min(nap * 2, LONGEST_NAP)

    def _renew(self) -> None:
        period = self._runner.lease.total_seconds() / RENEWALS_PER_LEASE
        while not self._over.wait(period):
            _outlived(self._runner.renew)


def _outlived(action: Callable[[], None]) -> bool:
    """Whether it went well; if not, that is told, and the thread goes on."""
    try:
        action()
    except SQLAlchemyError as error:
        log.warning("the metadata database does not answer, trying again: %s", error)
    except Exception:
        log.exception("a runner stumbled; what it held is taken up when its lease runs out")
    else:
        return True
    return False
