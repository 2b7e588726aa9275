"""What a step may touch.

Law: a step changes rows through the session, and nothing is kept unless the runner's lease holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy.orm import Session

from trove.db import Clock
from trove.engine import Kind, Operation, Wait, Workflow
from trove.errors import Failed, Unavailable
from trove.models.agent import Agent, enrolment_token_of
from trove.models.datastore import DatastoreVersion
from trove.models.instance import Instance
from trove.models.task import FORGOTTEN, Task, dispatch
from trove.protocol.tasks import AgentTask, arguments_of, result_of
from trove.providers.base import (
    Flavor,
    Provider,
    Scope,
    ServerSpec,
    ServerState,
    ServerView,
    view_of,
)
from trove.settings import Settings
from trove.settings.options import engine_options
from trove.vault import Vault

R = TypeVar("R")
S = TypeVar("S")
A = TypeVar("A", bound=msgspec.Struct)

CHECK_EVERY = 10.0
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
class Context(Generic[S]):
    """What one step works with: its operation, the operation's subject, and what all share."""

    session: Session
    operation: Operation
    env: Environment

    @cached_property
    def subject(self) -> S:
        """What the operation works on; raises NoResultFound.

        Kept, because a session forgets what nothing else refers to, and would read it again.
        """
        kind: Kind[S] | None = self.env.workflows[self.operation.workflow].subject
        assert kind is not None, f"{self.operation.workflow} has no kind of subject"
        return kind.load(self.session, self.operation.subject_id)

    @property
    def provider(self) -> Provider:
        return self.env.provider

    def provider_for(self, instance: Instance) -> Provider:
        """The infrastructure, for calls on behalf of this instance's project."""
        return self.provider.within(scope_of(instance))

    def server_view_of(self, instance: Instance) -> ServerView:
        """The instance's server as it is now; raises Unavailable if it cannot be seen."""
        scope = scope_of(instance)
        return view_of(self.provider_for(instance).compute, instance.resource_name, scope)

    def end_transaction(self) -> None:
        """Hold no transaction during a slow call; the step must not have written anything yet.

        Rows that were read are read again. The commit still checks that the lease holds.
        """
        assert not self.session.new, "the step's effects would be lost"
        assert not self.session.dirty, "the step's effects would be lost"
        self.session.rollback()

    def args(self, kind: type[A]) -> A:
        """What the operation was started with."""
        return msgspec.convert(self.operation.args, kind)

    def server_of(self, instance: Instance) -> ServerSpec:
        """All that makes the server of this instance."""
        version = self.session.get_one(DatastoreVersion, instance.datastore_version_id)
        token = enrolment_token_of(self.env.vault, instance.id)
        return ServerSpec(
            name=instance.resource_name,
            instance_id=instance.id,
            flavor=flavor_of(instance),
            manager=version.manager,
            version=version.number,
            image=version.image,
            volume=instance.resource_name,
            address=instance.address or "",
            port=instance.port or 0,
            agent_files=self.env.agent_files(instance, token),
            nics=instance.nics,
            settings=engine_options(self.env.settings, version.manager),
        )

    def request(
        self,
        instance: Instance,
        task: AgentTask[R],
        *,
        key: str | None = None,
        sealed: str | None = None,
    ) -> Wait | R:
        """The result of this task from the agent of this instance; Wait while it has not answered.

        `sealed` are further arguments, as the vault sealed them. A second task of the same kind in
        one operation needs a `key` of its own. Raises Failed when the task failed.
        """
        row = dispatch(
            self.session,
            instance.id,
            task.kind,
            arguments_of(task),
            sealed=sealed or FORGOTTEN,
            operation=self.operation,
            key=key,
            request_id=self.operation.request_id,
        )
        if not row.answered:
            return self._awaited(instance, row)
        if row.error is not None:
            raise Failed(row.error)
        return result_of(task, row.result)

    def _awaited(self, instance: Instance, task: Task) -> Wait:
        """Keep waiting while the server is up; one that went down is started again."""
        agent = self.session.get(Agent, instance.id)
        enrolled = agent is not None and agent.credential_digest is not None
        doing = task.note or f"the agent works on: {task.kind}"
        note = doing if enrolled else "the server starts; its agent has not enrolled yet"
        error = self._keep_server_up(instance)
        if error and not enrolled:
            raise Failed(f"the server is up, but its agent does not start: {error}")
        # One that has run before may come back: it had all that it needs.
        return Wait(
            CHECK_EVERY, f"the agent ends at each start: {error}" if error else note, task.progress
        )

    def _keep_server_up(self, instance: Instance) -> str:
        """Why the agent in a server that is up does not start, if that is known.

        Raises Unavailable after each start, so that a server that does not stay up ends the step
        when its attempts are spent.
        """
        view = self.server_view_of(instance)
        if view.state is ServerState.DOWN:
            self.provider_for(instance).compute.start_server(self.server_of(instance))
            raise Unavailable(f"the server went down and was started again: {view.detail}")
        return view.agent_error


def scope_of(instance: Instance) -> Scope:
    """In which all that belongs to this instance is made."""
    return Scope(instance.project_id, instance.availability_zone)


def flavor_of(instance: Instance) -> Flavor:
    """The flavor of an instance as it was when it was created or last resized."""
    name = instance.flavor_id
    return Flavor(name, name, memory=instance.memory, vcpus=instance.vcpus)
