"""The engine is kept as it should be."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.unit.guestagent.conftest import MemoryAccounts, MemoryDriver, broken, memory_datastore
from trove.errors import Failed, Unavailable
from trove.guestagent.engine import Engine
from trove.guestagent.state import AgentDirectory
from trove.protocol import EngineState


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Time:
    return Time()


@pytest.fixture
def reports() -> list[EngineState]:
    return []


@pytest.fixture
def engine(
    agent_directory: AgentDirectory, driver: MemoryDriver, seconds: Time, reports: list[EngineState]
) -> Engine:
    return make(agent_directory, driver, seconds, reports)


def make(
    agent_directory: AgentDirectory, driver: MemoryDriver, seconds: Time, reports: list[EngineState]
) -> Engine:
    made = Engine(
        agent_directory,
        lambda: reports.append(made.state),
        datastore=memory_datastore(driver, MemoryAccounts()),
        clock=seconds,
    )
    return made


def test_before_it_is_prepared_there_is_nothing_to_keep(
    engine: Engine, driver: MemoryDriver
) -> None:
    engine.check()
    engine.close()
    assert engine.state is EngineState.NEW
    assert driver.calls == []


def test_it_comes_up(engine: Engine, driver: MemoryDriver, reports: list[EngineState]) -> None:
    engine.prepare()
    engine.bring_up()
    assert driver.calls == ["prepare", "configure", "start"]
    assert (engine.state, engine.version, engine.is_up) == (EngineState.RUNNING, "15.2", True)
    engine.check()
    assert reports == [EngineState.RUNNING]


def test_one_that_runs_is_queried_now_and_then(
    engine: Engine, driver: MemoryDriver, seconds: Time
) -> None:
    engine.bring_up()
    for _ in range(30):
        engine.check()
        seconds.now += 1
    assert (driver.queries, driver.tended) == (2, 6)
    driver.now = EngineState.BLOCKED
    seconds.now += 10
    engine.check()
    engine.check()
    assert (engine.state, driver.queries) == (EngineState.BLOCKED, 4)


def test_a_dead_one_is_started_again(
    engine: Engine, driver: MemoryDriver, reports: list[EngineState]
) -> None:
    engine.bring_up()
    driver.now = EngineState.STOPPED
    engine.check()
    assert reports == [EngineState.RUNNING, EngineState.CRASHED, EngineState.RUNNING]


def test_one_that_does_not_come_back_is_started_again_and_again(
    engine: Engine, driver: MemoryDriver, seconds: Time, reports: list[EngineState]
) -> None:
    engine.bring_up()
    driver.now, driver.start_error = EngineState.STOPPED, broken()
    tries = driver.calls.count("start")
    for _ in range(3):
        engine.check()
        engine.check()
        seconds.now += 31
    assert driver.calls.count("start") == tries + 3
    seconds.now += 3600
    assert (engine.state, engine.error) == (EngineState.FAILED, "FATAL: no space left")
    assert reports == [
        EngineState.RUNNING,
        EngineState.CRASHED,
        EngineState.CRASHED,
        EngineState.FAILED,
    ]
    driver.start_error = None
    engine.check()
    assert (engine.state, engine.error) == (EngineState.RUNNING, None)


def test_one_that_was_stopped_stays_so(
    engine: Engine, driver: MemoryDriver, agent_directory: AgentDirectory, seconds: Time
) -> None:
    engine.bring_up()
    engine.halt()
    engine.check()
    assert engine.state is EngineState.STOPPED
    again = make(agent_directory, driver, seconds, [])
    states = [again.state]
    again.check()
    assert [*states, again.state] == [EngineState.STARTING, EngineState.STOPPED]
    assert "start" not in driver.calls[driver.calls.index("stop") :]


def test_a_restarted_agent_takes_a_running_engine_as_its_own(
    agent_directory: AgentDirectory, driver: MemoryDriver, seconds: Time, reports: list[EngineState]
) -> None:
    agent_directory.remember(desired="running")
    driver.now = EngineState.RUNNING
    engine = make(agent_directory, driver, seconds, reports)
    engine.check()
    assert (driver.calls, reports, engine.version) == ([], [EngineState.RUNNING], "15.2")


def test_after_a_reboot_it_is_brought_back_without_a_crash_being_reported(
    agent_directory: AgentDirectory, driver: MemoryDriver, seconds: Time, reports: list[EngineState]
) -> None:
    agent_directory.remember(desired="running")
    make(agent_directory, driver, seconds, reports).check()
    assert reports == [EngineState.RUNNING]
    assert agent_directory.spec.run.is_dir()
    assert agent_directory.spec.logs.is_dir()


def test_a_failed_start_is_reported_and_raised(engine: Engine, driver: MemoryDriver) -> None:
    driver.start_error = broken()
    with pytest.raises(Failed):
        engine.bring_up()
    assert (engine.state, engine.error) == (EngineState.FAILED, "FATAL: no space left")


def test_restart_and_resize(
    engine: Engine, driver: MemoryDriver, agent_directory: AgentDirectory
) -> None:
    engine.resize(512, 2)
    assert driver.calls == []
    engine.bring_up()
    engine.restart()
    engine.resize(1024, 4)
    assert driver.calls == ["configure", "start", *["stop", "configure", "start"] * 2]
    assert (agent_directory.spec.memory, agent_directory.spec.vcpus) == (1024, 4)


class Complaining(MemoryDriver):
    """Runs, and says what is wrong."""

    wrong: str | None = None

    def complaint(self) -> str | None:
        return self.wrong


def test_what_a_running_engine_complains_of_is_reported_until_it_is_right(
    agent_directory: AgentDirectory, seconds: Time
) -> None:
    driver, reports = Complaining(), []
    made = Engine(
        agent_directory,
        lambda: reports.append((made.state, made.error)),
        datastore=memory_datastore(driver, MemoryAccounts()),
        clock=seconds,
    )
    made.bring_up()
    for wrong in ("cannot write its log", None):
        driver.wrong = wrong
        seconds.now += 60
        made.check()
        made.check()
    driver.wrong = "nothing that counts while it is down"
    made.halt()
    seconds.now += 60
    made.check()
    assert reports == [
        (EngineState.RUNNING, None),
        (EngineState.RUNNING, "cannot write its log"),
        (EngineState.RUNNING, None),
        (EngineState.STOPPED, None),
    ]


def test_a_full_volume_of_a_running_engine_is_reported(
    engine: Engine, seconds: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.bring_up()
    monkeypatch.setattr("trove.guestagent.engine.is_disk_full", lambda directory: True)
    seconds.now += 60
    engine.check()
    assert engine.state is EngineState.RUNNING
    assert "the volume is full" in (engine.error or "")
    monkeypatch.undo()
    seconds.now += 60
    engine.check()
    assert engine.error is None


def test_no_check_runs_while_a_task_is_at_work(engine: Engine, driver: MemoryDriver) -> None:
    engine.bring_up()
    driver.now = EngineState.STOPPED
    with engine._at_work():
        looking = threading.Thread(target=engine.check)
        looking.start()
        looking.join(10)
    assert engine.state is EngineState.RUNNING


def test_a_closed_one_stays_down_but_should_run(
    engine: Engine, driver: MemoryDriver, agent_directory: AgentDirectory
) -> None:
    engine.bring_up()
    engine.close()
    engine.check()
    assert driver.now is EngineState.STOPPED
    assert agent_directory.state.desired == "running"
    with pytest.raises(Unavailable):
        engine.restart()


def test_it_is_stopped_even_while_a_task_hangs(engine: Engine, driver: MemoryDriver) -> None:
    engine.bring_up()
    held, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        with engine._at_work():
            held.set()
            let_go.wait(20)

    hanging = threading.Thread(target=hang)
    hanging.start()
    held.wait(10)
    engine.close(patience=0.01)
    let_go.set()
    hanging.join(10)
    assert driver.now is EngineState.STOPPED


def test_a_certificate_is_taken_up_without_a_restart(
    agent_directory: AgentDirectory, seconds: Time, driver: MemoryDriver
) -> None:
    engine = make(agent_directory, driver, seconds, [])
    engine.bring_up()
    driver.calls.clear()
    engine.take_up_certificate()
    assert driver.calls == ["reload"]


def test_a_version_that_cannot_be_read_is_read_later(
    agent_directory: AgentDirectory, driver: MemoryDriver, seconds: Time, directory: Path
) -> None:
    agent_directory.remember(desired="running")
    driver.now, driver.version_error = EngineState.RUNNING, Unavailable()
    engine = make(agent_directory, driver, seconds, [])
    engine.check()
    assert (engine.state, engine.version) == (EngineState.RUNNING, None)
    driver.version_error = None
    engine.check()
    assert engine.version == "15.2"


@pytest.mark.parametrize(("is_full", "attempts"), [(True, range(110, 126)), (False, range(8, 14))])
def test_it_is_tried_less_and_less_often_unless_its_volume_is_full(
    engine: Engine,
    driver: MemoryDriver,
    seconds: Time,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
    attempts: range,
) -> None:
    """In an hour; a volume that is resized is soon of use."""
    engine.bring_up()
    monkeypatch.setattr("trove.guestagent.engine.is_disk_full", lambda directory: is_full)
    driver.now, driver.start_error = EngineState.STOPPED, broken()
    driver.calls.clear()
    while seconds.now < 3600:
        engine.check()
        seconds.now += 1
    assert driver.calls.count("start") in attempts
    driver.start_error = None
    engine.restart()
    assert engine.state is EngineState.RUNNING


class WritingDriver(MemoryDriver):
    """It sees when its engine wrote, unless the directory is gone."""

    written: float | None = None

    def last_write(self) -> float | None:
        if self.written is None:
            raise FileNotFoundError
        return self.written


def test_when_it_wrote_last_is_known_where_the_driver_sees_it(
    agent_directory: AgentDirectory, engine: Engine, seconds: Time
) -> None:
    assert engine.last_write() is None
    driver = WritingDriver()
    writing = make(agent_directory, driver, seconds, [])
    assert writing.last_write() is None
    driver.written = 5.0
    assert writing.last_write() == 5.0
