"""A guest agent without an engine: it speaks the real protocol and keeps accounts in memory.

It enrols with its one-time token, reports, does each task once, and returns the results, as a real
one does; what it does with a task is a method named after the task's kind.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from trove.errors import Failed, NotFound, Unauthenticated
from trove.protocol import (
    Account,
    Accounts,
    DatabaseAccount,
    EngineState,
    EnrolAnswer,
    EnrolRequest,
    ErrorKind,
    Report,
    SyncAnswer,
    SyncRequest,
    TaskRequest,
    TaskResult,
)
from trove.providers.base import ServerState
from trove.providers.fake import FakeWorld
from trove.testing.calls import Calls

T = TypeVar("T")
Arguments = dict[str, Any]
"""Of a task, or of its result, as the wire has them."""
ERRORS = {401: Unauthenticated, 410: NotFound}


@dataclass(frozen=True)
class TaskFailure:
    """How tasks of one kind fail."""

    error: str
    kind: str = ErrorKind.FAILED


@dataclass
class FakeAgent:
    """The agent of one instance."""

    calls: Calls
    token: str
    state: str = EngineState.RUNNING
    failures: dict[str, TaskFailure] = field(default_factory=dict)
    """Kind of task -> how it fails."""
    accounts: Accounts = field(default_factory=Accounts)
    passwords: dict[str, str | None] = field(default_factory=dict)
    """Of each user, as an engine would keep them."""
    received: list[TaskRequest] = field(default_factory=list)
    """Every task, in the order in which they came."""
    instance_id: str | None = None
    credential: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def enrol(self) -> None:
        """Raises Unauthenticated when the token is used, unknown or too old."""
        request = EnrolRequest(self.token, credential=self.credential, agent_version="fake")
        self.instance_id = self._call("enrol", request, EnrolAnswer).instance_id

    def run(self) -> None:
        """Report, and do tasks until none is left; enrols when it has to."""
        if self.instance_id is None:
            self.enrol()
        results: list[TaskResult] = []
        while tasks := self.sync(results):
            results = [self.perform(task) for task in tasks]

    def sync(self, results: list[TaskResult] | None = None) -> list[TaskRequest]:
        """One call: what is to be done. Raises NotFound when the instance was deleted."""
        report = Report(self.state, volume_used=0.25, accounts=self.accounts)
        request = SyncRequest(report, agent_version="fake", results=results or [], hold=0)
        return self._call("sync", request, SyncAnswer, self.credential).tasks

    def perform(self, task: TaskRequest) -> TaskResult:
        self.received.append(task)
        if failure := self.failures.get(task.kind):
            return TaskResult(task.id, error=failure.error, error_kind=failure.kind)
        action: Callable[[Arguments], Arguments | None]
        action = getattr(self, f"_{task.kind}", lambda args: None)
        result = action(task.args) or {}
        return TaskResult(task.id, {"accounts": msgspec.to_builtins(self.accounts)} | result)

    def _call(
        self, name: str, message: msgspec.Struct, answer: type[T], credential: str | None = None
    ) -> T:
        status, body = self.calls.post(f"/v1/{name}", msgspec.json.encode(message), credential)
        if status != 200:
            raise ERRORS.get(status, Failed)(f"{name}: {status} {body.decode()}")
        return msgspec.json.decode(body, type=answer)

    def _prepare(self, args: Arguments) -> None:
        self._create_databases(args)
        self._create_users(args)

    def _create_databases(self, args: Arguments) -> None:
        self.accounts.databases += msgspec.convert(args.get("databases", []), list[DatabaseAccount])

    def _delete_database(self, args: Arguments) -> None:
        kept = [known for known in self.accounts.databases if known.name != args["name"]]
        self.accounts.databases = kept

    def _create_users(self, args: Arguments) -> None:
        for user in msgspec.convert(args.get("users", []), list[Account]):
            self.passwords[user.name], user.password = user.password, None
            self.accounts.users.append(user)

    def _change_passwords(self, args: Arguments) -> None:
        self.passwords |= {user["name"]: user["password"] for user in args["users"]}

    def _update_user(self, args: Arguments) -> None:
        user = self._user(args)
        self.passwords[args.get("new_name", user.name)] = args.get("new_password")
        user.name, user.host = args.get("new_name", user.name), args.get("new_host", user.host)

    def _delete_user(self, args: Arguments) -> None:
        self.accounts.users.remove(self._user(args))

    def _grant(self, args: Arguments) -> None:
        self._user(args).databases += args["databases"]

    def _revoke(self, args: Arguments) -> None:
        self._user(args).databases.remove(args["database"])

    def _enable_root(self, args: Arguments) -> Arguments:
        self.accounts.root_enabled = True
        self.passwords["root"] = args["password"]
        return {"name": "root"}

    def _disable_root(self, args: Arguments) -> None:
        self.accounts.root_enabled = False

    def _diagnose(self, args: Arguments) -> Arguments:
        return {"hwinfo": {"num_cpus": 2, "mem_total": 512}, "diagnostics": {"version": "1"}}

    def _user(self, args: Arguments) -> Account:
        wanted = (args["name"], args.get("host"))
        return next(user for user in self.accounts.users if (user.name, user.host) == wanted)


class FakeAgents:
    """An agent on each server of the fake provider that is up."""

    def __init__(self, world: FakeWorld, calls: Calls) -> None:
        self.failures: dict[str, TaskFailure] = {}
        """Of all agents; kind of task -> how it fails."""
        self.state: str = EngineState.RUNNING
        self.received: list[TaskRequest] = []
        self._world = world
        self._calls = calls
        self._by_server: dict[str, FakeAgent] = {}
        self._one_at_a_time = threading.Lock()

    def run(self) -> None:
        """Every agent reports and does its tasks; one whose instance was deleted stops."""
        with self._one_at_a_time:
            for kind, _, name in (item.partition("/") for item in self._world.everything()):
                record = self._world.get(kind, name) if kind == "server" else None
                if record is not None and record["state"] == ServerState.UP:
                    self._run(self._agent_on(name, record))

    def __iter__(self) -> Iterator[FakeAgent]:
        return iter(self._by_server.values())

    def of(self, instance_id: str) -> FakeAgent:
        """The agent of an instance, once it has enrolled."""
        return next(a for a in self if a.instance_id == instance_id)

    def _agent_on(self, name: str, record: dict[str, Any]) -> FakeAgent:
        """A server that was made again, or whose agent was invited again, has a new token."""
        token = json.loads(record["agent_files"]["agent.json"])["token"]
        known = self._by_server.get(name)
        if known is None or known.token != token:
            known = FakeAgent(self._calls, token, failures=self.failures, received=self.received)
            self._by_server[name] = known
        known.state, known.failures = self.state, self.failures
        return known

    def _run(self, agent: FakeAgent) -> None:
        try:
            agent.run()
        except (NotFound, Unauthenticated):
            # Deleted meanwhile, or its token is withdrawn: an agent would stop, or try again.
            return
