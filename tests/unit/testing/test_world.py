"""The levels of the tests' world: each does what tests of the product rely on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from trove.db import Base, Database, DatabaseClock
from trove.engine import State, Wait, Workflow, step
from trove.errors import Failed
from trove.models import DatastoreVersion
from trove.testing import ManualClock
from trove.testing.world import (
    LEASE,
    MARIADB,
    POSTGRESQL,
    Cloud,
    Crash,
    Metadata,
    Operations,
    act_at,
    crash_at,
    metadata_in,
)
from trove.testing.world.api import World


class Recorder(Operations):
    """Steps write down that they ran."""

    def __init__(self, metadata: Metadata) -> None:
        super().__init__(metadata, {"two": TWO, "waits": WAITS})
        self.ran: list[str] = []
        self.reactions = 0

    def context_of(self, session: object, operation: object) -> Recorder:
        return self

    def react(self) -> None:
        self.reactions += 1


@step
def first(world: Recorder) -> None:
    world.ran.append("first")


@first.undone_by
def unfirst(world: Recorder) -> None:
    world.ran.append("unfirst")


@step
def second(world: Recorder) -> None:
    world.point("second")
    world.ran.append("second")


@step(timeout=600)
def wait(world: Recorder) -> Wait | None:
    world.ran.append("wait")
    return None if world.reactions >= 3 else Wait(60, "three reactions")


TWO: Workflow[Recorder] = Workflow("two", "BUILD", (first, second))
WAITS: Workflow[Recorder] = Workflow("waits", "BUILD", (wait,))


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[Metadata]:
    made = metadata_in(tmp_path / "new" / "directory")
    yield made
    made.close()


@pytest.fixture
def recorder(metadata: Metadata) -> Recorder:
    return Recorder(metadata)


def test_metadata_has_every_table(metadata: Metadata) -> None:
    assert set(inspect(metadata.database.engine).get_table_names()) >= set(Base.metadata.tables)


def test_metadata_of_one_directory_is_kept(tmp_path: Path) -> None:
    for count in range(2):
        metadata = metadata_in(tmp_path)
        operations = Recorder(metadata)
        assert len(operations.active()) == count
        operations.begin("two")
        metadata.close()


def test_times_are_in_the_order_of_what_is_written(metadata: Metadata) -> None:
    operations = Recorder(metadata)
    begun = [operations.begin("two") for _ in range(5)]
    assert operations.active() == begun
    assert isinstance(metadata.clock, ManualClock)


@pytest.mark.parametrize("real", [False, True])
def test_time_passes_with_either_clock(tmp_path: Path, real: bool) -> None:
    metadata = metadata_in(tmp_path, clock=DatabaseClock() if real else None)
    operations = Recorder(metadata)
    operation = operations.begin("waits")
    operations.runner().run_until_idle()
    assert operations.ran == ["wait"]
    assert not operations.runner().run_once()
    metadata.pass_time(61)
    assert operations.runner().run_once()
    operations.drain()
    assert operations.state_of(operation) == State.SUCCEEDED
    metadata.close()


def test_points_are_recorded_and_forgotten(recorder: Recorder) -> None:
    recorder.begin("two")
    recorder.drain()
    assert recorder.trace.count("leased") == 2
    assert recorder.trace.index("second") > recorder.trace.index("before commit")
    recorder.reset()
    assert recorder.trace == []


def test_what_dies_is_continued_by_another(recorder: Recorder) -> None:
    operation = recorder.begin("two")
    begun = recorder.clock.time
    recorder.at = crash_at(1)
    recorder.drain()
    assert recorder.state_of(operation) == State.SUCCEEDED
    assert recorder.ran == ["first", "first", "second"]
    assert recorder.clock.time - begun >= LEASE


def test_a_crash_is_no_error_that_a_step_could_catch(recorder: Recorder) -> None:
    recorder.at = crash_at(0)
    with pytest.raises(Crash, match="leased"):
        recorder.point("leased")
    assert not issubclass(Crash, Exception)


def test_something_else_happens_at_one_point_alone(recorder: Recorder) -> None:
    seen: list[int] = []
    recorder.at = act_at(2, lambda: seen.append(len(recorder.trace)))
    for _ in range(5):
        recorder.point("any")
    assert seen == [3]


def test_a_point_fails_for_as_long_as_it_is_listed(recorder: Recorder) -> None:
    recorder.failing["second"] = Failed("no")
    failed = recorder.begin("two")
    recorder.drain()
    assert (recorder.state_of(failed), recorder.look(failed).error) == (State.FAILED, "no")
    assert recorder.ran == ["first", "unfirst"]
    recorder.failing.clear()
    assert recorder.claimed() == []
    done = recorder.begin("two", recorder.look(failed).subject_id)
    recorder.drain()
    assert recorder.state_of(done) == State.SUCCEEDED


def test_a_drain_ends_after_its_rounds(recorder: Recorder) -> None:
    operation = recorder.begin("waits")
    recorder.drain(rounds=2)
    assert (recorder.state_of(operation), recorder.reactions) == (State.RUNNING, 2)
    assert recorder.claimed() == [recorder.look(operation).subject_id]


def test_operations_are_replaced_and_cancelled(recorder: Recorder) -> None:
    first_id = recorder.begin("waits")
    second_id = recorder.replace(first_id, "waits")
    assert recorder.state_of(first_id) == State.SUPERSEDED
    assert recorder.look(second_id).subject_id == recorder.look(first_id).subject_id
    recorder.cancel(second_id)
    recorder.drain()
    assert recorder.state_of(second_id) == State.CANCELLED


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.metadata.close()


def test_a_cloud_has_an_instance_that_works(cloud: Cloud) -> None:
    instance_id = cloud.built(name="mine")
    assert cloud.words(instance_id) == ("ACTIVE", "HEALTHY")
    assert cloud.show(instance_id).row.name == "mine"
    assert cloud.used() == {"instances": 1, "ram": 512, "volumes": 1}
    assert (cloud.active(), cloud.claimed(), cloud.trace) == ([], [], [])
    assert cloud.agents.of(instance_id).instance_id == instance_id


def test_agents_that_do_not_answer_hold_operations_up(cloud: Cloud) -> None:
    cloud.answers = False
    instance_id = cloud.order()
    cloud.drain(3)
    assert cloud.words(instance_id)[0] == "BUILD"
    assert cloud.busy_with(instance_id) is not None
    cloud.answers = True
    cloud.drain()
    assert cloud.words(instance_id)[0] == "ACTIVE"
    assert cloud.last_operation(instance_id).state == State.SUCCEEDED


def test_a_cloud_offers_the_versions_that_it_is_given(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, versions=[POSTGRESQL, MARIADB])
    with cloud.database.session() as session:
        found = session.scalars(select(DatastoreVersion).order_by(DatastoreVersion.id)).all()
    assert [(row.id, row.number, row.manager) for row in found] == [
        ("v-1", "15.20", "postgresql"),
        ("v-2", "10.11.19", "mariadb"),
    ]
    cloud.metadata.close()


def test_a_world_is_called_by_different_people(tmp_path: Path) -> None:
    world = World(tmp_path)
    instance_id = world.built()
    assert world.get(f"/instances/{instance_id}")["instance"]["status"] == "ACTIVE"
    assert world.request("GET", f"/instances/{instance_id}", who="blue").status_code == 404
    assert world.request("DELETE", f"/instances/{instance_id}", who="red-reader").status_code == 403
    assert world.cloud.used()["instances"] == 1
    world.close()


def test_worlds_do_not_share_anything(tmp_path: Path) -> None:
    clouds = [Cloud(tmp_path / name) for name in ("one", "two")]
    clouds[0].built()
    clouds[0].clock.advance(days=1)
    assert clouds[1].used() == {}
    assert clouds[1].world.everything() == []
    assert clouds[0].clock.time - clouds[1].clock.time > timedelta(hours=23)
    assert isinstance(clouds[1].database, Database)
    for cloud in clouds:
        cloud.metadata.close()
