"""The running engine of an instance, and what its agent last reported of it.

Law: nothing here queries an engine; a change is dispatched as a task in the caller's transaction,
and its result is awaited for no longer than `agent_call_low_timeout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy.orm import Session

from trove.datastores import datastore_of
from trove.datastores.base import Manifest
from trove.datastores.parts import Part
from trove.engine import holders_of
from trove.errors import Invalid, NotFound, NotReady, NotSupported
from trove.models.agent import Agent
from trove.models.datastore import DatastoreVersion
from trove.models.instance import Instance
from trove.models.status import is_full, reason_of
from trove.models.task import dispatch
from trove.protocol import Account, Accounts, EngineState
from trove.protocol.tasks import AgentTask, arguments_of, result_of
from trove.services import agents
from trove.services.account_rules import ANY_HOST, check_name, rules_of, visible
from trove.services.changes import find, must_answer, note
from trove.services.installation import Caller, Installation
from trove.workflows import are_blocked

R = TypeVar("R")

RUNNING = frozenset({EngineState.RUNNING, EngineState.RESTART_REQUIRED})


@dataclass(frozen=True)
class RunningEngine:
    """A running engine and what is in it."""

    session: Session
    row: Instance
    manifest: Manifest
    accounts: Accounts

    def has_database(self, name: str) -> bool:
        return any(each.name == name for each in self.accounts.databases)

    def require_database(self, name: str) -> None:
        if not self.has_database(name):
            raise NotFound(f"Database {name!r} could not be found on instance {self.row.id}.")

    def user(self, text: str) -> Account:
        """The user that `name` or `name@host` means; raises Invalid when it is reserved."""
        meant = parse_user(self.manifest, text)
        check_name(self.manifest.user_names, meant.name, "user")
        found = self.find_user(meant)
        if found is None:
            raise NotFound(f"User {text!r} could not be found on instance {self.row.id}.")
        return found

    def find_user(self, meant: Account) -> Account | None:
        same = (u for u in self.accounts.users if label_of(u) == label_of(meant))
        return next(same, None)


def running_engine(
    inst: Installation, session: Session, caller: Caller, instance_id: str, needed: Part
) -> RunningEngine:
    """The engine of an instance; raises NotFound, NotSupported, or NotReady unless it runs."""
    row = find(session, caller, instance_id)
    version = session.get_one(DatastoreVersion, row.datastore_version_id)
    manifest = rules_of(inst.settings, version.manager)
    if not datastore_of(version.manager).has(needed):
        raise NotSupported(f"{manifest.title} has no {needed} that Trove could manage.")
    active = holders_of(session, row.id)
    if are_blocked("accounts", active):
        names = ", ".join(operation.workflow for operation in active)
        raise NotReady(f"Instance {row.id} is busy with {names}; wait for it to end.")
    agent = must_answer(inst, session, row)
    if agent.engine_state not in RUNNING:
        raise NotReady(_why_not(row, agent))
    accounts = visible(manifest, msgspec.convert(agent.accounts, Accounts))
    return RunningEngine(session, row, manifest, accounts)


def _why_not(row: Instance, agent: Agent) -> str:
    reason = reason_of(
        engine_state=agent.engine_state,
        error=agent.error,
        full=is_full(agent.volume_used, agent.volume_total),
        silent=False,
        since=agent.reported_at,
    )
    why = f": {reason}" if reason else "."
    return f"The database server of instance {row.id} is {agent.engine_state}{why}"


@dataclass(frozen=True)
class Dispatched(Generic[R]):
    """A task that was dispatched for a request."""

    task: AgentTask[R]
    id: str


def dispatch_task(
    inst: Installation, caller: Caller, engine: RunningEngine, task: AgentTask[R], **payload: Any
) -> Dispatched[R]:
    """Send the task to the engine's agent, and record its event with this payload."""
    row = dispatch(
        engine.session,
        engine.row.id,
        task.kind,
        # Sealed as a whole: a request's arguments are read by its agent alone.
        sealed=inst.vault.seal(arguments_of(task)),
        request_id=caller.request_id,
        expires_at=agents.expiry_of(inst, engine.session),
    )
    assert task.event is not None, f"{task.kind} records no event"
    note(caller, engine.session, engine.row, task.event, **payload)
    return Dispatched(task, row.id)


def result_from(inst: Installation, dispatched: Dispatched[R], field: str | None = None) -> R:
    """What the agent returned.

    Raises what the agent refused it with: when that is Invalid, naming `field`.
    """
    timeout = inst.settings.timing.agent_call_low_timeout
    row = agents.await_answer(inst.database, dispatched.id, timeout)
    try:
        agents.raise_for(row)
    except Invalid as error:
        raise type(error)(error.message, field=field) from None
    # The accounts in the result are not stored: a report had them no later, in the agent's order.
    # If they were written from here, the slower of two readers would bring older ones back.
    return result_of(dispatched.task, row.result)


def parse_user(manifest: Manifest, text: str) -> Account:
    """`name` or `name@host`; the last @ parts them where the engine knows hosts."""
    name, at, host = text.rpartition("@")
    if at and (manifest.user_hosts or host == ANY_HOST):
        return Account(name=name, host=host or ANY_HOST)
    return Account(name=text, host=ANY_HOST)


def label_of(user: Account) -> str:
    """`name@host`, by which users are ordered and pages marked."""
    return f"{user.name}@{user.host or ANY_HOST}"
