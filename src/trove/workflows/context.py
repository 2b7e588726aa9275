"""What a step may touch.

Law: a step changes rows through the session, and nothing is kept unless the runner's lease holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from trove.datastores import manifest_of
from trove.db import Clock
from trove.engine import Operation, Wait, Workflow
from trove.errors import Failed, Unavailable
from trove.models.agent import Agent, enrolment_token_of
from trove.models.datastore import DatastoreVersion
from trove.models.instance import Instance
from trove.models.task import Task, order
from trove.protocol import TaskKind
from trove.providers.base import Flavor, Provider, ServerSpec, ServerState
from trove.settings import Settings
from trove.vault import Vault

SEALED = "sealed"
"""The argument of an operation that is sealed by the vault."""
LOOK_AGAIN = 10.0
"""Seconds; an answer wakes the operation long before."""


@dataclass(frozen=True)
class Environment:
    """What all steps of a task manager share."""

    settings: Settings
    provider: Provider
    vault: Vault
    clock: Clock
    agent_files: Callable[[Instance, str], dict[str, str]]
    """(instance, enrolment token) -> the files that its agent starts with."""
    workflows: Mapping[str, Workflow[Any]]


@dataclass(frozen=True)
class Context:
    """One step's view: its operation, and what all steps share."""

    session: Session
    operation: Operation
    env: Environment

    @property
    def args(self) -> dict[str, Any]:
        return self.operation.args

    @property
    def secrets(self) -> Any:
        """The sealed part of the arguments."""
        return self.env.vault.open(self.args[SEALED]) if SEALED in self.args else {}

    @property
    def instance(self) -> Instance:
        """The operation's subject."""
        return self.session.get_one(Instance, self.operation.subject_id)

    @property
    def provider(self) -> Provider:
        return self.env.provider

    @property
    def flavor(self) -> Flavor:
        """What the instance was ordered with, as it was then."""
        row = self.instance
        return Flavor(row.flavor_id, row.flavor_id, memory=row.memory, vcpus=row.vcpus)

    @property
    def server(self) -> ServerSpec:
        """All that makes the server of this instance."""
        row = self.instance
        version = self.session.get_one(DatastoreVersion, row.datastore_version_id)
        token = enrolment_token_of(self.env.vault, row.id)
        return ServerSpec(
            name=row.resource_name,
            instance_id=row.id,
            flavor=self.flavor,
            manager=version.manager,
            version=version.number,
            image=version.image,
            volume=row.resource_name,
            address=row.address or "",
            port=row.port or 0,
            agent_files=self.env.agent_files(row, token),
            availability_zone=row.availability_zone,
            nics=row.nics,
            seed=manifest_of(version.manager).seed,
        )

    def request(
        self, kind: TaskKind, *, timeout: float, key: str | None = None, **args: Any
    ) -> Wait | dict[str, Any]:
        """What the agent answers to this task; Wait while it has not.

        A second task of the same kind in one operation needs a `key` of its own. Raises Failed
        when the task failed, or had no answer within `timeout` seconds of the step's beginning.
        """
        task = order(
            self.session,
            self.env.vault,
            self.instance.id,
            kind,
            args,
            operation_id=self.operation.id,
            key=key,
            request_id=self.operation.request_id,
        )
        if not task.answered:
            return self._awaited(task, timeout)
        if task.error is not None:
            raise Failed(task.error)
        return task.result or {}

    def _awaited(self, task: Task, timeout: float) -> Wait:
        """Go on waiting while the server is up; one that went down is brought back."""
        agent = self.session.get(Agent, task.instance_id)
        enrolled = agent is not None and agent.credential_digest is not None
        doing = task.note or f"the agent works on: {task.kind}"
        note = doing if enrolled else "the server starts; its agent has not enrolled yet"
        now = self.env.clock.now(self.session)
        spent = (now - self.operation.step_since).total_seconds()
        if spent > timeout:
            raise Failed(
                f"no answer from the agent to {task.kind!r} within {timeout:.0f} seconds ({note})"
            )
        self._keep_server_up()
        return Wait(min(LOOK_AGAIN, timeout - spent + 1), note, task.progress)

    def _keep_server_up(self) -> None:
        """Raises Unavailable after each start, so that a server that can not stay up is given up
        when the step's attempts are spent."""
        view = self.provider.compute.server_view(self.instance.resource_name)
        if view.state is ServerState.DOWN:
            self.provider.compute.start_server(self.server)
            raise Unavailable(f"the server went down and was started again: {view.detail}")


def forget_secrets(operation: Operation) -> None:
    """Nobody will open what was sealed for an operation that has ended."""
    if SEALED in operation.args:
        # Another dictionary, for the ORM does not see what changes within the one that it has.
        operation.args = {key: value for key, value in operation.args.items() if key != SEALED}
