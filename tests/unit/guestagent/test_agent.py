"""The agent's threads against a real conductor; the engine is kept in memory."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.support import slot
from tests.support.agents import (
    Conductor,
    add_instance,
    agent_row,
    conductor_in,
    dispatch_task,
    invite,
    task_row,
)
from tests.support.waiting import until
from tests.unit.guestagent.conftest import MemoryAccounts, MemoryDriver, memory_datastore
from trove.datastores.process import KEPT
from trove.datastores.server import LONGEST_LOG
from trove.errors import Failed, NotSupported, Unavailable
from trove.files import write_private
from trove.guestagent import agent as module
from trove.guestagent import schedule, tls
from trove.guestagent.agent import Agent
from trove.guestagent.state import AgentDirectory
from trove.models import Agent as AgentRow
from trove.models import Instance
from trove.protocol import EngineState
from trove.protocol.engine_spec import EngineSpec


@pytest.fixture
def conductor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conductor]:
    directory = tmp_path_factory.mktemp("conductor")
    with conductor_in(directory, slot.address(72, 6), heartbeat=0.5) as running:
        yield running


@pytest.fixture
def instance(conductor: Conductor, directory: Path) -> str:
    instance_id = add_instance(conductor.installation)
    settle(conductor, directory, invite(conductor.installation, instance_id))
    return instance_id


def settle(conductor: Conductor, directory: Path, token: str) -> None:
    start = {"conductor_url": conductor.url, "token": token, "authority": None}
    (directory / "agent.json").write_text(json.dumps(start))


@contextmanager
def running(agent: Agent) -> Iterator[list[int]]:
    """The agent at work; its exit code once it has stopped."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(agent.run()))
    thread.start()
    try:
        yield codes
    finally:
        agent.stop()
        thread.join(20)
        until(lambda: not {"poll", "report"} & {t.name for t in threading.enumerate()})


@pytest.fixture
def make(directory: Path, driver: MemoryDriver, accounts: MemoryAccounts) -> Callable[[], Agent]:
    return lambda: Agent(directory, memory_datastore(driver, accounts))


def test_from_the_first_call_to_a_running_engine(
    conductor: Conductor,
    instance: str,
    make: Callable[[], Agent],
    driver: MemoryDriver,
    accounts: MemoryAccounts,
) -> None:
    installation, agent = conductor.installation, make()
    prepare = dispatch_task(installation, instance, "prepare", databases=[{"name": "app"}])
    with running(agent):
        until(lambda: task_row(installation, prepare).answered)
        row = agent_row(installation, instance)
        assert task_row(installation, prepare).error is None
        assert (row.engine_state, row.engine_version) == ("running", "15.2")
        assert row.accounts["databases"] == [{"name": "app"}]
        until(lambda: not agent.worker.busy())
        driver.now = EngineState.STOPPED
        until(lambda: driver.now is EngineState.RUNNING)
        first = agent_row(installation, instance).reported_at
        until(lambda: agent_row(installation, instance).reported_at != first)
    assert driver.now is EngineState.STOPPED
    with running(make()):
        until(lambda: driver.now is EngineState.RUNNING)
    assert agent.directory.state.desired == "running"


def test_what_tenants_do_by_themselves_is_reported(
    conductor: Conductor,
    instance: str,
    make: Callable[[], Agent],
    accounts: MemoryAccounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "LOOK_EVERY", 0.0)
    installation, agent = conductor.installation, make()
    agent.directory.remember(desired="running")
    with running(agent):
        until(lambda: agent_row(installation, instance).engine_state == "running")
        accounts.databases.append("their own")
        until(lambda: agent_row(installation, instance).accounts.get("databases"))


def test_progress_is_reported(
    conductor: Conductor, instance: str, make: Callable[[], Agent], driver: MemoryDriver
) -> None:
    installation, agent = conductor.installation, make()
    driver.prepared.clear()
    prepare = dispatch_task(installation, instance, "prepare")
    with running(agent):
        until(lambda: task_row(installation, prepare).note == "making the data directory")
        assert task_row(installation, prepare).progress == 0.1
        driver.prepared.set()
        until(lambda: task_row(installation, prepare).answered)


def test_an_answer_that_was_lost_locks_no_agent_out(
    conductor: Conductor, instance: str, make: Callable[[], Agent], directory: Path
) -> None:
    """The agent dies when the conductor has taken its token, before it has read the answer."""
    agent = make()
    link = agent._link()
    link.enrol(agent.directory.start.token, agent.directory.credential().credential)
    link.close()
    assert agent.directory.credential().instance_id is None
    with running(make()) as codes:
        until(lambda: agent_row(conductor.installation, instance).reported_at)
        assert codes == []
    assert codes == [143]


def test_a_conductor_that_forgot_is_enrolled_with_again(
    conductor: Conductor,
    instance: str,
    make: Callable[[], Agent],
    driver: MemoryDriver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    installation, agent = conductor.installation, make()
    agent.directory.remember(desired="running")
    with running(agent) as codes:
        until(lambda: agent_row(installation, instance).engine_state == "running")
        with installation.database.begin() as session:
            session.get_one(AgentRow, instance).credential_digest = None
        until(lambda: "the credential was refused" in caplog.text)
        assert driver.now is EngineState.RUNNING
        assert codes == []
        invite(installation, instance)
        until(lambda: agent_row(installation, instance).credential_digest)
        before = agent_row(installation, instance).reported_at
        until(lambda: agent_row(installation, instance).reported_at != before)


def test_when_its_instance_is_deleted_it_stops_for_good(
    conductor: Conductor, instance: str, make: Callable[[], Agent], driver: MemoryDriver
) -> None:
    installation, agent = conductor.installation, make()
    agent.directory.remember(desired="running")
    with running(agent) as codes:
        until(lambda: agent_row(installation, instance).engine_state == "running")
        with installation.database.begin() as session:
            session.get_one(Instance, instance).deleted_at = datetime.now(UTC)
        until(lambda: codes)
        assert codes == [0]
    assert driver.now is EngineState.STOPPED


def test_no_result_is_lost_while_the_conductor_is_away(
    conductor: Conductor, instance: str, make: Callable[[], Agent], driver: MemoryDriver
) -> None:
    installation, agent = conductor.installation, make()
    driver.prepared.clear()
    prepare = dispatch_task(installation, instance, "prepare")
    with running(agent):
        until(agent.worker.busy)
        driver.prepared.set()
        until(lambda: "configure" in driver.calls)
        conductor.stop()
        until(lambda: driver.now is EngineState.RUNNING)
        driver.now = EngineState.STOPPED
        until(lambda: driver.now is EngineState.RUNNING)
        conductor.start()
        until(lambda: task_row(installation, prepare).answered)
        assert task_row(installation, prepare).error is None


def test_an_old_agent_keeps_its_engine(
    make: Callable[[], Agent], instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_IF_TOO_OLD", 0.0)
    agent = make()

    def refuse(error: Exception) -> Callable[[], None]:
        def call() -> None:
            raise error

        return call

    assert agent._called(refuse(NotSupported("too old.")))
    assert agent._called(refuse(Unavailable()))
    assert agent._called(refuse(ZeroDivisionError()))
    assert not agent._called(lambda: None)
    assert not agent._closing.is_set()


def test_a_certificate_is_renewed_in_time(
    conductor: Conductor, instance: str, make: Callable[[], Agent], driver: MemoryDriver
) -> None:
    agent = make()
    agent.directory.remember(desired="running", renew_at=1.0)
    with running(agent):
        until(lambda: (agent.directory.state.renew_at or 0) > time.time())
        assert agent.directory.spec.certificate.read_text().startswith("-----BEGIN CERTIFICATE")


class StrictDriver(MemoryDriver):
    """As real engines are: without a key that fits its certificate it does not start."""

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__()
        self.spec = spec

    def start(self) -> None:
        self.start_error = None if is_pair(self.spec) else Failed("key values mismatch")
        super().start()

    def reload(self) -> None:
        self.calls.append("reload")


def is_pair(spec: EngineSpec) -> bool:
    key = load_pem_private_key(spec.private_key.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(spec.certificate.read_bytes())
    return certificate.public_key() == key.public_key()


def test_a_renewal_that_was_killed_is_done_again(
    conductor: Conductor,
    instance: str,
    directory: Path,
    accounts: MemoryAccounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between its two renames, so that the engine does not start any more."""

    class Killed(BaseException):
        pass

    def kill_before_certificate(path: Path, content: bytes) -> None:
        if path.name == "server.crt":
            raise Killed
        write_private(path, content)

    spec = AgentDirectory(directory).spec
    driver = StrictDriver(spec)
    agent = Agent(directory, memory_datastore(driver, accounts))
    link = agent._link()
    agent._enrol(link)
    link.close()
    agent.guest.renew_certificate()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(tls, "write_private", kill_before_certificate)
        agent.guest.renew_certificate()
    assert not is_pair(spec)
    agent.directory.remember(desired="running", renew_at=1.0)
    with running(Agent(directory, memory_datastore(driver, accounts))):
        until(lambda: driver.now is EngineState.RUNNING)
    assert is_pair(spec)


def test_its_own_log_is_kept_short(make: Callable[[], Agent]) -> None:
    """No other process does, and it lies on the tenant's volume."""
    agent = make()
    log = agent.directory.spec.logs / "agent.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"trying again\n" * (LONGEST_LOG // 10) + b"the last\n")
    agent.watch_once()
    assert log.stat().st_size < 2 * KEPT
    assert log.read_bytes().endswith(b"again\nthe last\n")


def test_the_watch_outlives_whatever_it_sees(
    conductor: Conductor,
    instance: str,
    make: Callable[[], Agent],
    driver: MemoryDriver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "WATCH_EVERY", 0.01)
    caplog.set_level(logging.INFO)
    agent = make()
    troubles: list[Exception] = [Unavailable("busy"), ZeroDivisionError("surprise")]
    look = agent.engine.check

    def check() -> None:
        if troubles:
            raise troubles.pop()
        look()

    monkeypatch.setattr(agent.engine, "check", check)
    agent.directory.remember(desired="running")
    with running(agent):
        until(lambda: driver.now is EngineState.RUNNING)
    assert "surprise" in caplog.text
    assert "busy" in caplog.text


def test_without_its_files_it_does_not_start(make: Callable[[], Agent], directory: Path) -> None:
    (directory / "agent.json").unlink()
    with pytest.raises(FileNotFoundError):
        make().run()
