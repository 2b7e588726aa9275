"""Long tasks: processes that outlive their agent, each of which is reported once."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import msgspec
import pytest

from tests.e2e.agent.long_task_plugin.long_task_plugin import RunUntil
from tests.support.long_tasks import PLUGIN, WAITS, processes_of
from tests.support.waiting import until
from tests.unit.guestagent.conftest import MemoryAccounts, MemoryDriver
from tests.unit.guestagent.test_worker import AgentProcess
from trove.db import new_id
from trove.errors import Unavailable
from trove.guestagent import child
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import LongGuest
from trove.guestagent.handlers import handles
from trove.guestagent.journal import Entry, Journal, TaskState
from trove.guestagent.long_task import LongTask
from trove.guestagent.state import AgentDirectory
from trove.protocol import TaskRequest, TaskResult
from trove.protocol.tasks import AgentTask, Lane, Nothing

START = """
import sys
from pathlib import Path
import msgspec
from trove.guestagent.long_task import LongTask
from trove.guestagent.state import AgentDirectory
from trove.protocol import TaskRequest
request = msgspec.json.decode(sys.argv[2], type=TaskRequest)
LongTask(AgentDirectory(Path(sys.argv[1])), request.id).start(request)
"""


@pytest.fixture(autouse=True)
def with_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN))


@pytest.fixture
def run_agent(
    directory: Path, driver: MemoryDriver, accounts: MemoryAccounts
) -> Iterator[Callable[[], AgentProcess]]:
    """Runs of the agent; what they leave is ended."""
    agents: list[AgentProcess] = []

    def make() -> AgentProcess:
        agents.append(agent := AgentProcess(directory, driver, accounts))
        agent.worker._pause = lambda seconds: agent.closing.wait(0.01)
        return agent

    yield make
    for agent in agents:
        agent.worker.end_long_tasks()
        agent.closing.set()


def without_end(directory: Path) -> TaskRequest:
    return TaskRequest(new_id(), "run_until", {"file": str(directory / "never")})


def started_by_an_earlier_agent(directory: Path, task: TaskRequest) -> LongTask:
    """Its process is not a child of this one, and the journal says that it began."""
    journal = Journal(AgentDirectory(directory).journal)
    journal.begin(journal.take(task))
    command = [sys.executable, "-c", START, str(directory), msgspec.json.encode(task).decode()]
    subprocess.run(command, check=True)
    found = LongTask(AgentDirectory(directory), task.id)
    until(lambda: (progress := found.progress()) and progress.note == WAITS)
    return found


def begin(agent: AgentProcess, task: TaskRequest) -> None:
    """Return when the process is there and waits."""
    agent.worker.start()
    agent.worker.take([task])
    found = LongTask(agent.directory, task.id)
    until(lambda: (progress := found.progress()) and progress.note == WAITS)


def results(agent: AgentProcess, task: TaskRequest) -> list[TaskResult]:
    return [result for result in agent.outbox.batch().results if result.id == task.id]


def entry_of(agent: AgentProcess, task: TaskRequest) -> Entry:
    entry = Journal(agent.directory.journal).find(task.id)
    assert entry is not None
    return entry


def test_others_are_done_beside_it(run_agent: Callable[[], AgentProcess], directory: Path) -> None:
    agent, file = run_agent(), directory / "enough"
    task = TaskRequest(new_id(), "run_until", {"file": str(file)})
    begin(agent, task)
    quick = [TaskRequest(new_id(), "restart"), TaskRequest(new_id(), "disable_root")]
    agent.worker.take(quick)
    until(lambda: {r.id for r in agent.outbox.batch().results} == {each.id for each in quick})
    assert task.id in agent.worker.busy()
    until(lambda: [p.note for p in agent.outbox.batch().progress if p.id == task.id] == [WAITS])
    file.touch()
    (result,) = until(lambda: results(agent, task))
    assert (result.error, result.result) == (None, {"times": 1})
    assert not LongTask(agent.directory, task.id).path.exists()


def test_the_next_agent_goes_on_with_it_and_reports_it_once(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    file = directory / "enough"
    task = TaskRequest(new_id(), "run_until", {"file": str(file)})
    found = started_by_an_earlier_agent(directory, task)
    agent = run_agent()
    assert agent.worker.busy() == [task.id]
    # The conductor sends it again to an agent that it does not know to be busy.
    agent.worker.take([task])
    file.touch()
    agent.worker.do_all()
    (result,) = results(agent, task)
    assert result.result == {"times": 1}
    assert not found.path.exists()
    again = run_agent()
    assert results(again, task) == [result], "it was not acknowledged"
    batch = again.outbox.batch()
    again.worker.acknowledge(batch)
    assert results(run_agent(), task) == []


def test_a_result_that_came_between_two_agents_is_reported(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    file = directory / "enough"
    task = TaskRequest(new_id(), "run_until", {"file": str(file)})
    found = started_by_an_earlier_agent(directory, task)
    file.touch()
    until(lambda: not found.is_alive())
    agent = run_agent()
    agent.worker.do_all()
    assert [result.result for result in results(agent, task)] == [{"times": 1}]


def test_an_agent_that_stops_leaves_it(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    task = without_end(directory)
    found = started_by_an_earlier_agent(directory, task)
    agent = run_agent()
    agent.closing.set()
    agent.worker.do_all()
    assert results(agent, task) == []
    assert found.is_alive()
    agent.worker.end_long_tasks()
    assert processes_of(task.id) == []


@pytest.mark.parametrize("repeatable", [False, True], ids=["fails", "is repeated"])
def test_one_whose_process_was_lost(
    run_agent: Callable[[], AgentProcess],
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    repeatable: bool,
) -> None:
    """With the machine, for example; what it had done is not known."""
    monkeypatch.setattr(RunUntil, "repeatable", repeatable)
    file = directory / "enough"
    file.touch()
    task = TaskRequest(new_id(), "run_until", {"file": str(file)})
    journal = Journal(AgentDirectory(directory).journal)
    journal.begin(journal.take(task))
    agent = run_agent()
    assert agent.worker.busy() == [], "the conductor sends it again, with its arguments"
    (result,) = agent.do(task)
    if repeatable:
        assert (result.error, result.result) == (None, {"times": 1})
    else:
        assert "ended without a result" in (result.error or "")
        assert not (directory / "enough.runs").exists()


def test_one_whose_process_dies_fails_with_what_it_said(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    agent, task = run_agent(), without_end(directory)
    begin(agent, task)
    leader = min(processes_of(task.id))
    with (LongTask(agent.directory, task.id).path / "output").open("a") as output:
        output.write("its last words")
    os.kill(leader, signal.SIGKILL)
    (result,) = until(lambda: results(agent, task))
    for left in processes_of(task.id):
        os.kill(left, signal.SIGKILL)
    assert result.error is not None
    assert "ended without a result" in result.error and "its last words" in result.error


def test_what_is_withdrawn_is_ended_and_reported_once(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    process, task = run_agent(), without_end(directory)
    begin(process, task)
    assert len(processes_of(task.id)) == 2
    process.worker.withdraw([task.id])
    (result,) = until(lambda: results(process, task))
    assert "its process was ended" in (result.error or "")
    assert processes_of(task.id) == []
    assert not LongTask(process.directory, task.id).path.exists()
    batch = process.outbox.batch()
    process.worker.acknowledge(batch)
    assert entry_of(process, task).state is TaskState.FAILED
    assert results(run_agent(), task) == []


def test_what_an_earlier_agent_began_is_ended_when_it_is_withdrawn(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    task = without_end(directory)
    started_by_an_earlier_agent(directory, task)
    process = run_agent()
    process.worker.withdraw([task.id])
    process.worker.do_all()
    assert [result.error_kind for result in results(process, task)] == ["failed"]
    assert processes_of(task.id) == []


def test_what_is_withdrawn_before_it_begins_starts_no_process(
    run_agent: Callable[[], AgentProcess], directory: Path
) -> None:
    process, task = run_agent(), without_end(directory)
    process.worker.take([task])
    process.worker.withdraw([task.id])
    process.worker.do_all()
    assert [result.error_kind for result in results(process, task)] == ["late"]
    assert not LongTask(process.directory, task.id).path.exists()


@pytest.mark.parametrize("known", [False, True], ids=["of no task", "of a task that has ended"])
def test_a_process_that_no_task_needs_is_ended(
    run_agent: Callable[[], AgentProcess], directory: Path, known: bool
) -> None:
    task = without_end(directory)
    found = started_by_an_earlier_agent(directory, task)
    journal = Journal(AgentDirectory(directory).journal)
    if known:
        journal.fail(journal.take(task), "withdrawn", "unavailable")
        journal.acknowledge([task.id])
    else:
        (directory / "journal" / f"{task.id}.json").unlink()
    assert run_agent().worker.busy() == []
    assert processes_of(task.id) == []
    assert not found.path.exists()


def test_wrong_arguments_start_no_process(run_agent: Callable[[], AgentProcess]) -> None:
    agent, task = run_agent(), TaskRequest(new_id(), "run_until", {"file": 7})
    (result,) = agent.do(task)
    assert result.error_kind == "invalid"
    assert not LongTask(agent.directory, task.id).path.exists()


class Break(AgentTask[Nothing], frozen=True):
    """Fail in one of several ways."""

    kind: ClassVar = "break_in_a_test"
    lane: ClassVar = Lane.LONG
    Result: ClassVar = Nothing

    how: str = ""


ERRORS: dict[str, Exception] = {
    "away": Unavailable("no answer"),
    "bug": ZeroDivisionError("oops"),
}


@handles(Break)
def break_down(guest: LongGuest, task: Break, attempt: Attempt) -> Nothing:
    if task.how in ERRORS:
        raise ERRORS[task.how]
    assert guest.parts.datastore.manifest.manager == "postgresql"
    return Nothing()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("", (None, None)),
        ("away", ("no answer", "unavailable")),
        ("bug", ("ZeroDivisionError: oops", "failed")),
    ],
)
def test_every_end_of_a_process_is_a_result(
    directory: Path, monkeypatch: pytest.MonkeyPatch, how: str, expected: tuple[Any, Any]
) -> None:
    request = TaskRequest(new_id(), "break_in_a_test", {"how": how})
    task = LongTask(AgentDirectory(directory), request.id)
    task.path.mkdir(parents=True)
    for _ in range(2):
        stdin = SimpleNamespace(buffer=io.BytesIO(msgspec.json.encode(request)))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert child.main(str(directory), request.id) == 0
        result = task.result()
        assert result is not None
        assert (result.error, result.error_kind) == expected
        # The second process finds the result and does nothing.
        monkeypatch.setattr(child, "run", None)
