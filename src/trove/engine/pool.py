"""A process's worth of runners: threads that take up operations, and one that keeps leases.

Law: an idle pool looks at the database when the next operation is due or a notification arrives,
and rarely in between; only one of its threads does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from trove.engine.lease import Lease
from trove.engine.runner import Runner
from trove.notifications import ramp

log = logging.getLogger(__name__)

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
        """Its holder looks for what is due; the other threads wait for it or are at work."""
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
        """Let each thread finish its step; another process resumes what takes longer."""
        self._stopping.set()
        self._nudged.set()
        deadline = time.monotonic() + timeout
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        # Leases are renewed until here. A connection that is in use when its database is disposed
        # of would be closed by nothing.
        self._over.set()
        if self._renewer.is_alive():
            self._renewer.join(max(0.0, deadline - time.monotonic()))

    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    def _work(self) -> None:
        while self._goes_on():
            if not _survived(self._advance_one):
                self._stopping.wait(PAUSE_AFTER_ERROR)

    def _advance_one(self) -> None:
        with self._lookout:
            lease = self._next_lease()
        if lease:
            self._runner.advance(lease, self._goes_on)
            # The step may want to be repeated sooner than the thread on the lookout expects.
            self._nudged.set()

    def _next_lease(self) -> Lease | None:
        """Waits for something due; None when the pool is to stop."""
        since = time.monotonic()
        while True:
            # Before looking: a nudge that comes after the look must end the pause below.
            self._nudged.clear()
            if not self._goes_on():
                return None
            lease = self._runner.leases.take()
            if lease:
                return lease
            if self._nudged.wait(self._pause_after(time.monotonic() - since)):
                since = time.monotonic()

    def _pause_after(self, idle: float) -> float:
        """Until the next operation is due, unless a look is due before that."""
        longest = self._runner.leases.database.notifications.pause_after(idle)
        due_in = self._runner.leases.due_in()
        # What is due now and was not leased is another runner's, which may lose it again.
        return longest if due_in is None else min(longest, max(due_in, ramp(idle)))

    def _renew(self) -> None:
        period = self._runner.lease.total_seconds() / RENEWALS_PER_LEASE
        while not self._over.wait(period):
            _survived(self._runner.renew)


def _survived(action: Callable[[], None]) -> bool:
    """Whether it succeeded; an error is logged, and the thread goes on."""
    try:
        action()
    except SQLAlchemyError as error:
        log.warning("the metadata database does not answer, retrying: %s", error)
    except Exception:
        log.exception("runner failed; its operation is resumed when the lease expires")
    else:
        return True
    return False
