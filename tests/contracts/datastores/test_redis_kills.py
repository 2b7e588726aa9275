"""The agent is killed before any command that it sends to Redis, and does its task again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import ACCOUNT_CHANGES
from trove.datastores.base import Installation
from trove.datastores.discovery import installed_engines
from trove.datastores.redis import ADMIN, REGISTRY, access
from trove.datastores.redis.session import Session, query, session
from trove.db import new_id
from trove.guestagent.engine import Engine
from trove.guestagent.guest import Guest
from trove.guestagent.journal import Journal
from trove.guestagent.outbox import Outbox
from trove.guestagent.state import AgentDirectory
from trove.guestagent.worker import Worker
from trove.protocol import CertificateAnswer, TaskRequest, TaskResult
from trove.services.authority import Authority, load_authority
from trove.testing.engines import make_spec, short_directory

pytestmark = pytest.mark.engine
INSTALLATIONS = [i for i in installed_engines() if i.manager == "redis"]
FOLDERS = ("data", "run", "config", "logs", "binaries")


class Killed(BaseException):
    """The agent's process dies here, and takes nothing back."""


@dataclass
class Kill:
    """Before the command of this number; those that are sent with it and before it arrive."""

    number: int
    sent: int = 0

    @contextmanager
    def armed(self) -> Iterator[None]:
        whole = Session.call_all

        def call_all(link: Session, commands: Sequence[Sequence[str]]) -> list[Any]:
            alive = list(commands)[: max(0, self.number - self.sent)]
            self.sent += len(commands)
            if len(alive) == len(commands):
                return whole(link, commands)
            whole(link, alive)
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Session, "call_all", call_all)
            yield


@dataclass
class Machine:
    """One guest; each run of its agent adds to `engines`, on the same disk and the same engine."""

    root: Path
    installation: Installation
    authority: Authority
    engines: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        spec = make_spec(self.root, self.installation)
        place: dict[str, str | None] = {name: str(getattr(spec, name)) for name in FOLDERS}
        place |= {"manager": "redis", "version": spec.version, "address": spec.address}
        sizes = {"port": spec.port, "memory": spec.memory, "vcpus": spec.vcpus}
        (self.root / "place.json").write_text(json.dumps(place | sizes))

    def run_agent(self) -> tuple[Worker, Outbox, Engine]:
        directory, outbox = AgentDirectory(self.root), Outbox()
        engine = Engine(directory, outbox.news.set)
        self.engines.append(engine)
        guest = Guest(directory, engine, self.certify, outbox.set_accounts)
        closing = threading.Event()
        worker = Worker(Journal(directory.journal), outbox, guest, closing, lambda seconds: None)
        return worker, outbox, engine

    def certify(self, csr: str) -> CertificateAnswer:
        address = self.engines[-1].parts.spec.address
        signed = self.authority.sign(csr, "i", address, now=datetime.now(UTC))
        return CertificateAnswer(signed, self.authority.pem)

    def do(self, task: TaskRequest) -> TaskResult:
        worker, outbox, _ = self.run_agent()
        worker.take([task])
        worker.do_all()
        return next(result for result in outbox.batch().results if result.id == task.id)

    def access_list(self) -> list[str]:
        """All but the administrator, and the same is on the disk."""
        engine = self.engines[-1]
        with session(engine.parts.spec) as link:
            known = sorted(query(link, "ACL", "LIST"))
        file = engine.parts.spec.data / "redis" / access.FILE
        assert sorted(file.read_text().splitlines()) == known
        # Each server lists the commands of a rule in an order of its own.
        words = [line.split() for line in known]
        return [" ".join([*w[:2], *sorted(w[2:])]) for w in words if w[1] != ADMIN]

    def keys(self) -> list[str]:
        with session(self.engines[-1].parts.spec) as link:
            return sorted(query(link, "KEYS", "*"))

    def stop(self) -> None:
        if self.engines:
            self.engines[-1].parts.driver.stop()


@contextmanager
def machine_of(installation: Installation, authority: Authority) -> Iterator[Machine]:
    with short_directory() as root:
        machine = Machine(root, installation, authority)
        try:
            yield machine
        finally:
            machine.stop()


@pytest.fixture
def authority() -> Iterator[Authority]:
    # Not tmp_path: tests before this one may have made the folders above it as another user.
    with short_directory() as directory:
        yield load_authority(directory)


@pytest.fixture(params=INSTALLATIONS, ids=[i.version for i in INSTALLATIONS])
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.param
    return found


def killed_and_repeated(machine: Machine, kind: str, args: dict[str, Any], number: int) -> bool:
    """Whether a command of this number was sent: then the task has been done again."""
    task, kill = TaskRequest(new_id(), kind, args), Kill(number)
    try:
        with kill.armed():
            result = machine.do(task)
    except Killed:
        result = machine.do(task)
        assert result.error is None, f"{kind}, killed before command {number}: {result.error}"
        return True
    assert result.error is None, result.error
    return False


PREPARE: dict[str, Any] = {
    "memory": 256,
    "vcpus": 1,
    "databases": [{"name": "app"}, {"name": "more"}],
    "users": [{"name": "ann", "password": "secret", "databases": ["app"]}],
    "root_password": "r00t secret",
}


def test_an_agent_that_is_killed_while_it_prepares_completes_it(
    installation: Installation, authority: Authority
) -> None:
    with machine_of(installation, authority) as machine:
        assert machine.do(TaskRequest(new_id(), "prepare", PREPARE)).error is None
        expected = machine.access_list()
    assert [line.split()[1] for line in expected] == ["ann", "default", REGISTRY]
    for number in range(100):
        with machine_of(installation, authority) as machine:
            was_killed = killed_and_repeated(machine, "prepare", PREPARE, number)
            assert machine.access_list() == expected
        if not was_killed:
            assert number > len(PREPARE["databases"]) + len(PREPARE["users"])
            return
    pytest.fail("it sends commands without end")


def reset(machine: Machine) -> None:
    """Two databases with keys, a user of one, and root enabled."""
    rules = {REGISTRY: access.with_databases(["off"], ["mine", "old"])}
    bob, root = access.new_user("b", ["mine"]), ["on", "nopass", "~*", "&*", *access.ROOT]
    with session(machine.engines[-1].parts.spec) as link:
        others = set(access.users(link)) - {ADMIN, REGISTRY, "default"}
        wanted: dict[str, access.Rules | None] = dict.fromkeys(others) | rules
        access.change(link, wanted | {"bob": bob, "default": root})
        query(link, "FLUSHALL")
        for key in ("mine:1", "old:1"):
            query(link, "SET", key, "x")


def test_an_agent_that_is_killed_at_a_change_completes_it(
    installation: Installation, authority: Authority
) -> None:
    with machine_of(installation, authority) as machine:
        assert machine.do(TaskRequest(new_id(), "prepare", {})).error is None
        for kind, args in ACCOUNT_CHANGES:
            reset(machine)
            assert machine.do(TaskRequest(new_id(), kind, args)).error is None
            expected, keys = machine.access_list(), machine.keys()
            number, was_killed = 0, True
            while was_killed:
                reset(machine)
                was_killed = killed_and_repeated(machine, kind, args, number)
                assert (machine.access_list(), machine.keys()) == (expected, keys), (kind, number)
                number += 1
            # The login, a look, and the transaction with its save.
            assert number > len(["AUTH", "ACL LIST", "MULTI", "ACL SETUSER", "ACL SAVE", "EXEC"])
