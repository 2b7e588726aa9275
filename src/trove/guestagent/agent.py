"""The agent's threads.

| thread  | what it does                                                             |
|---------|--------------------------------------------------------------------------|
| poll    | enrols, then keeps one call open that brings tasks; the heartbeat        |
| report  | reports results and changes at once, over a connection of its own        |
| work    | does tasks in order                                                      |
| watch   | keeps the engine as it should be, looks at the accounts, renews the key  |

Law: the engine does not depend on the conductor. Whatever the conductor says or fails to say,
short of `410 Gone`, the engine runs on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trove import __version__
from trove.datastores.parts import Datastore
from trove.datastores.process import trim
from trove.datastores.server import LONGEST_LOG
from trove.errors import NotFound, NotSupported, TroveError, Unauthenticated
from trove.guestagent.engine import Engine
from trove.guestagent.guest import Guest
from trove.guestagent.journal import Journal
from trove.guestagent.link import Link, pause_after
from trove.guestagent.outbox import Outbox, Reporter
from trove.guestagent.schedule import AccountSchedule
from trove.guestagent.state import AgentDirectory, Credential
from trove.guestagent.worker import Worker, now
from trove.protocol import CertificateAnswer, SyncAnswer, SyncRequest

log = logging.getLogger(__name__)

LOG = "agent.log"
"""In the directory of logs: where the supervisor lets everything go that we say."""
TERMINATED = 143
"""As a process that SIGTERM ended: the supervisor decides what follows."""
WATCH_EVERY = 1.0
TRY_TO_RENEW_EVERY = 300.0
REPORT_EVERY = 1.0
PAUSE_IF_TOO_OLD = 60.0


class Agent:
    """The agent of one instance, whose directory is given.

    The datastore is by default the one that `place.json` names.
    """

    def __init__(self, directory: Path, datastore: Datastore | None = None) -> None:
        self.directory = AgentDirectory(directory)
        self.outbox = Outbox()
        self.engine = Engine(self.directory, self.outbox.news.set, datastore=datastore)
        self.guest = Guest(self.directory, self.engine, self._certify, self.outbox.set_accounts)
        self._closing = threading.Event()
        self.worker = Worker(
            Journal(self.directory.journal), self.outbox, self.guest, self._closing
        )
        self._reporter = Reporter(self.directory, self.engine)
        self._enrolled = threading.Event()
        self._report_seconds = 0.0
        self._exit_code = TERMINATED
        self._renewed_at = -1e9
        self._accounts = AccountSchedule()

    def run(self) -> int:
        """Work until stopped; the exit code. The engine is stopped then."""
        threads: dict[str, Callable[[], None]] = {
            "poll": partial(self._poll, self._link()),
            "report": partial(self._report, self._link()),
            "watch": self._watch,
        }
        for name, work in threads.items():
            threading.Thread(target=work, name=name, daemon=True).start()
        self.worker.start()
        self._closing.wait()
        log.info("stopping the engine")
        self.engine.close()
        if self._exit_code == 0:
            self.worker.end_long_tasks()
        return self._exit_code

    def stop(self, exit_code: int = TERMINATED) -> None:
        """Let `run` return."""
        self._exit_code = exit_code
        self._closing.set()

    def _poll(self, link: Link) -> None:
        """Enrol, then fetch tasks forever."""
        failures = 0
        while not self._closing.is_set():
            failed = self._called(partial(self._fetch, link))
            failures = failures + 1 if failed else 0
            if failed:
                self._closing.wait(pause_after(failures))
        link.close()

    def _report(self, link: Link) -> None:
        """Report what is new; what could not be sent is sent together with what comes next."""
        failures = 0
        while not self._closing.is_set():
            if not self._enrolled.wait(REPORT_EVERY):
                continue
            is_news = self.outbox.news.wait(REPORT_EVERY)
            failed = self._called(partial(self._report_once, link, is_news))
            failures = failures + 1 if failed else 0
            if failed:
                self.outbox.news.set()
                self._closing.wait(pause_after(failures))
        link.close()

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                self.watch_once()
            except TroveError as error:
                log.info("cannot check the engine: %s", error)
            except Exception:
                log.exception("watching the engine failed; going on")
            self._closing.wait(WATCH_EVERY)

    def watch_once(self) -> None:
        """One look at everything that changes by itself."""
        trim(self.directory.spec.logs / LOG, LONGEST_LOG)
        self.worker.drop_late()
        self.engine.check()
        if self.engine.is_up:
            self._accounts.run(self.guest.accounts_now, self.engine.last_write)
        looking_at = time.monotonic()
        if self._should_renew() and looking_at - self._renewed_at > TRY_TO_RENEW_EVERY:
            self._renewed_at = looking_at
            self.guest.renew_certificate()
            log.info("the server has a new certificate")

    def _should_renew(self) -> bool:
        """An engine that does not start perhaps lacks nothing but a key that fits."""
        is_able = self.engine.is_up or self.engine.cannot_start
        return is_able and self._enrolled.is_set() and is_due(self.directory.state.renew_at)

    def _fetch(self, link: Link) -> None:
        if not self._enrolled.is_set():
            self._enrol(link)
        self._sync(link, SyncRequest(self._reporter.report(), hold=self._report_seconds))

    def _enrol(self, link: Link) -> None:
        known = self.directory.credential()
        if known.instance_id is None:
            answer = link.enrol(self.directory.start.token, known.credential)
            self._report_seconds = answer.report_seconds
            self.directory.accept(Credential(answer.credential, answer.instance_id))
            log.info("enrolled as the agent of instance %s", answer.instance_id)
        self._enrolled.set()

    def _report_once(self, link: Link, is_news: bool) -> None:
        batch = self.outbox.batch()
        if not is_news and not batch.progress:
            return
        message = SyncRequest(
            self._reporter.report(batch.accounts),
            results=batch.results,
            progress=batch.progress,
            hold=0,
        )
        self._sync(link, message)
        self.outbox.acknowledge(batch)
        self.worker.acknowledge(batch)

    def _sync(self, link: Link, message: SyncRequest) -> SyncAnswer:
        message.agent_version = __version__
        message.busy = self.worker.busy()
        message.accepts_withdrawal = True
        message.settling = self.worker.settling()
        called_at = now()
        answer = link.sync(self.directory.credential().credential, message)
        self._report_seconds = answer.report_seconds
        self.worker.withdraw(answer.withdrawn)
        self.worker.take(answer.tasks, called_at)
        return answer

    def _certify(self, csr: str) -> CertificateAnswer:
        link = self._link()
        try:
            return link.certificate(self.directory.credential().credential, csr)
        finally:
            link.close()

    def _called(self, call: Callable[[], None]) -> bool:
        """Make a call to the conductor; whether it failed."""
        try:
            call()
        except NotFound as error:
            log.warning("stopping for good: %s", error)
            self.stop(0)
        except Unauthenticated as error:
            self._lose_credential(error)
        except NotSupported as error:
            log.error("%s The engine is kept running.", error)  # noqa: TRY400 - no trace needed
            self._closing.wait(PAUSE_IF_TOO_OLD)
        except TroveError as error:
            log.warning("cannot reach the conductor, retrying: %s", error)
        except Exception:
            log.exception("a call to the conductor failed; going on")
        else:
            return False
        return True

    def _lose_credential(self, error: Unauthenticated) -> None:
        """Perhaps the conductor has lost its state, which is no reason to stop the engine."""
        log.warning("the credential was refused, enrolling again: %s", error)
        self._enrolled.clear()
        known = self.directory.credential()
        if known.instance_id is not None:
            self.directory.accept(Credential(known.credential))

    def _link(self) -> Link:
        start = self.directory.start
        return Link(start.conductor_url, start.authority, only_authority=start.only_authority)


def is_due(renew_at: float | None) -> bool:
    """Whether it is time for another certificate."""
    return renew_at is not None and time.time() >= renew_at
