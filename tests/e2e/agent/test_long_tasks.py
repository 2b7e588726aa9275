"""A real agent does a long task, which an entry point adds, beside everything else."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent.conftest import PASSWORD, Scene, scene_of
from tests.support.agents import add_operation, task_row
from tests.support.long_tasks import PLUGIN, WAITS, processes_of
from tests.support.waiting import until
from trove.engine import Operation, supersede
from trove.models.task import dispatch

pytestmark = pytest.mark.engine


@pytest.fixture(
    scope="module",
    params=[("postgresql", 40), ("mariadb", 45)],
    ids=["postgresql", "mariadb"],
)
def long_scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    manager, number = request.param
    with scene_of(manager, number, tmp_path_factory.mktemp("conductor")) as scene:
        shutil.copytree(PLUGIN, scene.guest.root / "plugin")
        scene.guest.environment["PYTHONPATH"] = str(scene.guest.root / "plugin")
        scene.guest.kill()
        scene.guest.start()
        scene.do("prepare", **scene.prepare_args())
        yield scene


def begun(scene: Scene, task_id: str) -> list[int]:
    until(lambda: task_row(scene.installation, task_id).note == WAITS)
    until(lambda: len(processes_of(task_id)) == 2)
    return processes_of(task_id)


def seconds_of_a_user(scene: Scene, name: str) -> float:
    begin = time.monotonic()
    scene.do("create_users", users=[{"name": name, "password": "p1 secret"}])
    return time.monotonic() - begin


def test_it_runs_beside_everything_and_outlives_the_agent(long_scene: Scene) -> None:
    scene, file = long_scene, long_scene.guest.root / "enough"
    before = min(seconds_of_a_user(scene, f"before{n}") for n in range(5))
    task_id = scene.dispatch("run_until", file=str(file), password=PASSWORD)
    pids = begun(scene, task_id)
    assert all(PASSWORD not in Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)
    beside = min(seconds_of_a_user(scene, f"beside{n}") for n in range(5))
    print(f"a user: {before * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside a long task")
    scene.do("restart")
    assert processes_of(task_id) == pids
    scene.guest.kill()
    scene.guest.start()
    until(lambda: "found the process of task" in scene.guest.log())
    assert scene.do("diagnose")
    assert processes_of(task_id) == pids
    assert not task_row(scene.installation, task_id).answered
    file.touch()
    assert scene.answer(task_id).result == {"times": 1}
    until(lambda: not (scene.guest.directory / "long" / task_id).exists())
    assert processes_of(task_id) == []
    # The next agent knows that the conductor has it.
    until(lambda: scene.journal(task_id).get("acknowledged"))
    scene.guest.kill()
    scene.guest.start()
    scene.do("diagnose")
    assert scene.guest.log().count(f"task {task_id} run_until succeeded") == 1
    assert "found the process" not in scene.guest.log().rpartition("run_until succeeded")[2]


def test_one_that_is_not_needed_any_more_is_ended_soon(long_scene: Scene) -> None:
    scene = long_scene
    operation_id = add_operation(scene.installation, scene.instance_id)
    with scene.installation.database.begin() as session:
        operation = session.get_one(Operation, operation_id)
        args = {"file": str(scene.guest.root / "never")}
        task_id = dispatch(session, scene.instance_id, "run_until", args, operation=operation).id
    begun(scene, task_id)
    begin = time.monotonic()
    with scene.installation.database.begin() as session:
        assert supersede(session, operation_id)
    until(lambda: not processes_of(task_id))
    print(f"ended {time.monotonic() - begin:.2f} s after it was withdrawn")
    scene.do("diagnose")
    until(lambda: not (scene.guest.directory / "long" / task_id).exists())


def test_one_whose_process_dies_fails(long_scene: Scene) -> None:
    scene = long_scene
    task_id = scene.dispatch("run_until", file=str(scene.guest.root / "never"))
    pids = begun(scene, task_id)
    os.kill(min(pids), signal.SIGKILL)
    task = scene.answer(task_id)
    os.kill(max(pids), signal.SIGKILL)
    assert "ended without a result" in (task.error or "")
