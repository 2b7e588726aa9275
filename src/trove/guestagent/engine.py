"""Keeps the engine as it should be: running or stopped, in its present size.

Law: what changes the engine holds its lock, so the watch never starts what a task is stopping;
what should be is on disk before it is done, so a restart of agent or machine brings it about.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from trove.datastores import datastore_of
from trove.datastores.base import Complains, Empty, NotesWrites
from trove.datastores.parts import Datastore, Parts
from trove.datastores.process import DISK_FULL, is_disk_full
from trove.errors import TroveError, Unavailable
from trove.guestagent.state import AgentDirectory
from trove.protocol import EngineState

log = logging.getLogger(__name__)

RUNNING, STOPPED = str(EngineState.RUNNING), str(EngineState.STOPPED)
TRIES_UNTIL_FAILED = 3
LONGEST_PAUSE = 3600.0
LONGEST_PAUSE_IF_FULL = 30.0
"""On a full volume, which may be resized at any time."""
QUERY_EVERY = 10.0
"""Seconds for which a running engine is not queried again, while its process is there."""
TEND_EVERY = 5.0
"""Seconds between two looks at the engine's logs, which all lie in one directory."""
DOWN = {EngineState.CRASHED, EngineState.FAILED}
UP = {EngineState.RUNNING, EngineState.BLOCKED, EngineState.RESTART_REQUIRED}


class Engine:
    """The engine of this guest, and what is known of it."""

    def __init__(
        self,
        directory: AgentDirectory,
        changed: Callable[[], None],
        *,
        datastore: Datastore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = EngineState.NEW if directory.state.desired is None else EngineState.STARTING
        self.version: str | None = None
        self.error: str | None = None
        self._directory = directory
        self._changed = changed
        self._datastore = datastore or datastore_of(directory.manager)
        self._clock = clock
        self._parts: Parts | None = None
        self._lock = threading.RLock()
        self._closed = False
        self._failures = 0
        self._not_before = 0.0
        self._queried_at = -QUERY_EVERY
        self._tended_at = -TEND_EVERY
        self._was_up = False

    @property
    def parts(self) -> Parts:
        """What the engine is made of, with its present size."""
        # Read once: another thread may change the size meanwhile.
        parts = self._parts
        if parts is None:
            parts = self._parts = Parts(self._datastore, self._directory.spec)
        return parts

    @property
    def is_up(self) -> bool:
        """Whether it takes connections, by the last look."""
        return self.state in UP

    @property
    def cannot_start(self) -> bool:
        """Whether it should run and does not, by the last try."""
        return self.state in DOWN

    def last_write(self) -> float | None:
        """When the engine has written last, if its driver can see that."""
        driver = self.parts.driver
        with suppress(OSError):
            return driver.last_write() if isinstance(driver, NotesWrites) else None
        return None

    def prepare(self) -> None:
        with self._at_work():
            self.parts.driver.prepare(Empty())

    def bring_up(self) -> None:
        """Configure and start it, now and whenever it is found dead; raises Failed."""
        with self._at_work():
            self._directory.remember(desired=RUNNING)
            self._start_or_fail()

    def halt(self) -> None:
        """Stop it, and keep it stopped."""
        with self._at_work():
            self._directory.remember(desired=STOPPED)
            self.parts.driver.stop()
            self._publish(EngineState.STOPPED)

    def restart(self) -> None:
        with self._at_work():
            self._directory.remember(desired=RUNNING)
            self.parts.driver.stop()
            self._start_or_fail()

    def resize(self, memory: int, vcpus: int) -> None:
        """Take this size (MiB, processors); an engine that should run is restarted."""
        self.set_size(memory, vcpus)
        if self._directory.state.desired == RUNNING:
            self.restart()

    def set_size(self, memory: int, vcpus: int) -> None:
        """The size that it will have when it is configured next."""
        with self._at_work():
            self._directory.remember(memory=memory, vcpus=vcpus)
            self._parts = None

    def take_up_certificate(self) -> None:
        """Let a running engine use what now lies in the certificate's place."""
        with self._at_work():
            self.parts.tls.reload()

    def check(self) -> None:
        """Look how it is, and start it when it should run and does not.

        Returns at once while a task is at work on it.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if not self._closed:
                self._look()
        finally:
            self._lock.release()

    def close(self, patience: float = 10.0) -> None:
        """Stop the engine because the agent stops; it should still run when that comes back."""
        self._closed = True
        had_lock = self._lock.acquire(timeout=patience)
        try:
            if self._directory.state.desired is not None:
                self.parts.driver.stop()
        finally:
            if had_lock:
                self._lock.release()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise Unavailable("the agent is stopping")
            yield

    def _look(self) -> None:
        desired = self._directory.state.desired
        if desired is None:
            return
        driver = self.parts.driver
        self._tend()
        if self._was_queried_just_now() and driver.is_alive():
            return
        self._queried_at = self._clock()
        seen = driver.state()
        if seen is EngineState.STOPPED and desired == RUNNING:
            self._revive()
            return
        if seen in UP:
            self._failures = 0
        self._publish(seen, self._complaint() if seen in UP else None)

    def _tend(self) -> None:
        if self._clock() - self._tended_at >= TEND_EVERY:
            self._tended_at = self._clock()
            self.parts.driver.tend()

    def _complaint(self) -> str | None:
        """Why a running engine may refuse work."""
        driver = self.parts.driver
        found = driver.complaint() if isinstance(driver, Complains) else None
        return found or (DISK_FULL if is_disk_full(self._directory.spec.data) else None)

    def _was_queried_just_now(self) -> bool:
        """A query costs the engine a connection."""
        is_recent = self._clock() - self._queried_at < QUERY_EVERY
        return is_recent and self.state is EngineState.RUNNING and self.version is not None

    def _revive(self) -> None:
        """The first tries follow at once; later ones leave the machine time for others."""
        if self._clock() < self._not_before:
            return
        if self._was_up:
            log.warning("the engine has died; starting it again")
            self._was_up = False
            self._publish(EngineState.CRASHED)
        try:
            self._start()
        except TroveError as error:
            self._failures += 1
            self._not_before = self._clock() + self._pause()
            given_up = self._failures >= TRIES_UNTIL_FAILED
            log.warning("the engine does not start (try %d): %s", self._failures, error)
            self._publish(EngineState.FAILED if given_up else EngineState.CRASHED, str(error))

    def _pause(self) -> float:
        """Seconds until the next attempt."""
        with suppress(OSError):
            if is_disk_full(self._directory.spec.data):
                return min(2.0**self._failures, LONGEST_PAUSE_IF_FULL)
        return min(2.0 ** min(self._failures, 20), LONGEST_PAUSE)

    def _start_or_fail(self) -> None:
        try:
            self._start()
        except TroveError as error:
            self._publish(EngineState.FAILED, str(error))
            raise

    def _start(self) -> None:
        """A reboot may have emptied the directories of sockets and logs, and taken them along."""
        spec, driver = self._directory.spec, self.parts.driver
        for directory in (spec.run, spec.logs):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        driver.configure()
        driver.start()
        self.version = driver.version()
        self._queried_at = self._clock()
        self._failures = 0
        self._publish(EngineState.RUNNING)

    def _publish(self, state: EngineState, error: str | None = None) -> None:
        if state in UP:
            self._was_up = True
            self.version = self.version or self._version()
        if (state, error) != (self.state, self.error):
            self.state, self.error = state, error
            self._changed()

    def _version(self) -> str | None:
        with suppress(TroveError):
            return self.parts.driver.version()
        return None
