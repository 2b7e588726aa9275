"""What an agent can be asked for: one function for each `protocol.TaskKind`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from trove import __version__
from trove.datastores.parts import Part, Parts
from trove.errors import NotSupported
from trove.guestagent.accounts import (
    ACCOUNT_TASKS,
    ensure_databases,
    ensure_users,
    existing,
)
from trove.guestagent.attempt import Attempt
from trove.guestagent.engine import Engine
from trove.guestagent.state import Home
from trove.guestagent.tls import Request
from trove.processes import own_status
from trove.protocol import Account, Accounts, CertificateAnswer, DatabaseAccount, TaskKind

Certify = Callable[[str], CertificateAnswer]
"""Has the conductor sign a request (PEM)."""


class Tasks:
    """Does tasks on one engine. Every task may be done again after it was interrupted."""

    def __init__(
        self,
        home: Home,
        engine: Engine,
        certify: Certify,
        told: Callable[[Accounts], None],
    ) -> None:
        self._home = home
        self._engine = engine
        self._certify = certify
        self._told = told
        self._engine_tasks: dict[str, Callable[[Attempt], dict[str, Any]]] = {
            TaskKind.PREPARE: self._prepare,
            TaskKind.RESTART: self._restart,
            TaskKind.STOP: self._stop,
            TaskKind.START: self._start,
            TaskKind.RESIZE: self._resize,
            TaskKind.DIAGNOSE: self._diagnose,
        }

    def existing(self, attempt: Attempt) -> list[str]:
        """What is there already of that which the task is to create."""
        if attempt.order.kind in {TaskKind.CREATE_DATABASES, TaskKind.CREATE_USERS}:
            return existing(self._parts, attempt)
        return []

    def do(self, attempt: Attempt) -> dict[str, Any]:
        """The task's result; raises a TroveError when it fails."""
        kind = attempt.order.kind
        if kind in self._engine_tasks:
            return self._engine_tasks[kind](attempt)
        if kind in ACCOUNT_TASKS:
            found = ACCOUNT_TASKS[kind](self._parts, attempt)
            return (found or {}) | self.look_at_accounts()
        raise NotSupported(
            f"this agent ({__version__}) knows no task called {kind!r}; upgrade the guest"
        )

    def look_at_accounts(self) -> dict[str, Any]:
        """What there is now, for the report and as the result of a task."""
        accounts = self._parts.accounts()
        self._told(accounts)
        return {"accounts": msgspec.to_builtins(accounts)}

    def renew_certificate(self) -> None:
        """Another key and certificate for a running engine."""
        with Request(self._home.spec) as request:
            self._install(request)
        self._engine.take_up_certificate()

    def _prepare(self, attempt: Attempt) -> dict[str, Any]:
        if attempt.args.get("memory"):
            self._engine.set_size(attempt.part("memory", int), attempt.part("vcpus", int))
        attempt.tell(0.1, "making the data directory")
        if self._parts.datastore.has(Part.TLS):
            self._make_with_certificate(attempt)
        else:
            self._engine.prepare()
        attempt.tell(0.7, "starting the engine")
        self._engine.bring_up()
        attempt.tell(0.9, "creating databases and users")
        self._fill(attempt)
        return self.look_at_accounts() | {"engine_version": self._engine.version}

    def _make_with_certificate(self, attempt: Attempt) -> None:
        # The key is made by a process of its own meanwhile.
        with Request(self._home.spec) as request:
            self._engine.prepare()
            attempt.tell(0.6, "getting a certificate")
            self._install(request)

    def _fill(self, attempt: Attempt) -> None:
        if attempt.args.get("databases"):
            wanted = attempt.part("databases", list[DatabaseAccount])
            ensure_databases(self._parts, wanted)
        if attempt.args.get("users"):
            ensure_users(self._parts, attempt.part("users", list[Account]))
        if attempt.args.get("root_password"):
            self._parts.root.enable(attempt.part("root_password", str))

    def _install(self, request: Request) -> None:
        renew_at = request.install(self._certify(request.csr()))
        self._home.remember(renew_at=renew_at)

    def _restart(self, _: Attempt) -> dict[str, Any]:
        self._engine.restart()
        return {}

    def _stop(self, _: Attempt) -> dict[str, Any]:
        self._engine.halt()
        return {}

    def _start(self, _: Attempt) -> dict[str, Any]:
        self._engine.bring_up()
        return {}

    def _resize(self, attempt: Attempt) -> dict[str, Any]:
        self._engine.resize(attempt.part("memory", int), attempt.part("vcpus", int))
        return {}

    def _diagnose(self, _: Attempt) -> dict[str, Any]:
        spec = self._home.spec
        return {
            "hwinfo": {"mem_total": spec.memory * 1024, "num_cpus": spec.vcpus},
            "diagnostics": diagnostics(),
        }

    @property
    def _parts(self) -> Parts:
        return self._engine.parts


def diagnostics() -> dict[str, Any]:
    """The agent's own process; sizes in kB."""
    status = own_status()
    names = {
        "threads": "Threads",
        "fdSize": "FDSize",
        "vmSize": "VmSize",
        "vmPeak": "VmPeak",
        "vmRss": "VmRSS",
        "vmHwm": "VmHWM",
    }
    found = {ours: int(status[its].split()[0]) for ours, its in names.items()}
    return {"version": __version__} | found


def is_due(renew_at: float | None) -> bool:
    """Whether it is time for another certificate."""
    return renew_at is not None and time.time() >= renew_at
