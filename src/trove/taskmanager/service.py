"""A task manager: a pool of runners over every recipe, and the rounds that always go on.

Law: it keeps nothing in memory that another one could not find in the metadata database.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from trove import logs
from trove.db import wait_until_available
from trove.engine import Operation, Pool, Runner, State, ensure_periodic
from trove.engine.control import DUE
from trove.engine.runner import StepDone
from trove.models.event import record_event
from trove.models.instance import Instance
from trove.providers.base import Provider
from trove.services.authority import listener_certificate_of, load_authority
from trove.services.installation import Installation
from trove.settings import Settings
from trove.workflows import PERIODIC, WORKFLOWS
from trove.workflows.context import Context, Environment
from trove.workflows.ending import conclude

log = logging.getLogger(__name__)

ENDINGS = {
    State.SUCCEEDED: "end",
    State.FAILED: "error",
    State.CANCELLED: "cancelled",
}


class TaskManager:
    """Start it, and it works until it is stopped; any number may share one database."""

    def __init__(
        self,
        installation: Installation,
        provider: Provider,
        observe: Callable[[StepDone], None] = lambda done: None,
    ) -> None:
        self._installation = installation
        self._env = environment_of(installation, provider)
        self.runner = Runner(
            installation.database,
            WORKFLOWS,
            self._context,
            clock=installation.clock,
            observe=observe,
            on_end=record_end,
            settings=installation.settings,
        )
        self._pool = Pool(self.runner, installation.settings.taskmanager_threads)
        installation.database.notifications.subscribe(DUE, self._pool.nudge)

    def start(self) -> None:
        """Raises Failed when the metadata database is unavailable for a minute."""
        wait_until_available(self._installation.settings.url, self._ensure_rounds)
        self._pool.start()
        log.info("task manager started")

    def stop(self) -> None:
        """Let each step that is at work end; what is not done, another process takes up."""
        self._pool.stop()
        log.info("task manager stopped")

    def _ensure_rounds(self) -> None:
        for name in PERIODIC:
            ensure_periodic(
                self._installation.database, WORKFLOWS[name], clock=self._installation.clock
            )

    def _context(self, session: Session, operation: Operation) -> Context[Any]:
        logs.bind(
            request_id=operation.request_id, project=operation.project_id, operation=operation.id
        )
        return Context(session, operation, self._env)


def environment_of(installation: Installation, provider: Provider) -> Environment:
    """What the steps of this installation share."""

    def agent_files(instance: Instance, token: str) -> dict[str, str]:
        start = {
            "instance_id": instance.id,
            "conductor_url": installation.settings.conductor.url,
            "token": token,
        }
        start |= _trust_of(installation.settings)
        return {"agent.json": json.dumps(start)}

    return Environment(
        settings=installation.settings,
        provider=provider,
        vault=installation.vault,
        clock=installation.clock,
        agent_files=agent_files,
        workflows=WORKFLOWS,
    )


def _trust_of(settings: Settings) -> dict[str, Any]:
    """By what an agent knows the conductor: our authority alone where that has made its
    certificate, and the system's as well where an operator brought one."""
    at = settings.conductor
    if at.tls_certificate == listener_certificate_of(settings.authority, at.bind_host):
        return {"authority": load_authority(settings.authority).pem, "only_authority": True}
    authority = settings.authority / "ca.crt"
    return {"authority": authority.read_text() if authority.is_file() else None}


def record_end(session: Session, operation: Operation, state: str) -> None:
    """Leave things in order and record the event, in the transaction that ends the operation."""
    conclude(session, operation, WORKFLOWS.get(operation.workflow), State(state))
    record_event(
        session,
        f"{operation.workflow}.{ENDINGS[State(state)]}",
        project_id=operation.project_id,
        subject_id=operation.subject_id,
        operation_id=operation.id,
        request_id=operation.request_id,
        payload={"error": operation.error} if state != State.SUCCEEDED else {},
    )
