"""Every recipe under crashes at every point, failures at every step, deletion at every moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.pool import QueuePool

from tests.workflows.conftest import INFRASTRUCTURES, Infrastructure
from tests.workflows.scenarios import ACTIVE, USED, Round, Scenario, modules, rounds, scenarios
from trove.engine import Operation, State, cancel
from trove.engine.runner import CHECKPOINTS
from trove.errors import Conflict, Failed, NotFound, NotReady, Unavailable
from trove.providers.base import (
    ResizeState,
    Scope,
    ServerState,
    ServerView,
    VolumeState,
    VolumeView,
    view_of,
)
from trove.providers.fake.compute import FakeCompute
from trove.providers.fake.volumes import FakeVolumes
from trove.services import instances
from trove.services.instance_view import InstanceView
from trove.testing import TaskFailure
from trove.testing.world import Cloud, Crash, crash_at
from trove.workflows import WORKFLOWS

Clouds = Callable[[], Cloud]
SCENARIOS, ROUNDS = scenarios(), rounds()
BY_NAME = {scenario.workflow: scenario for scenario in SCENARIOS}
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.workflow)
each_round = pytest.mark.parametrize("periodic", ROUNDS, ids=lambda r: r.workflow)
each_infrastructure = pytest.mark.parametrize("infrastructure", INFRASTRUCTURES, indirect=True)


def holds(cloud: Cloud, instance_id: str, scenario: Scenario) -> None:
    if not scenario.removes:
        view = cloud.show(instance_id)
        assert {key: fact_of(view, key) for key in scenario.done} == scenario.done, cloud.trace
    assert cloud.used() == scenario.used
    assert len(cloud.world.everything()) == scenario.resources, cloud.trace


def fact_of(view: InstanceView, name: str) -> object:
    """A column of the instance, or what is derived beside it."""
    return getattr(view if name in view.__struct_fields__ else view.row, name)


def has_nothing(cloud: Cloud) -> None:
    assert cloud.world.everything() == [], cloud.trace
    assert cloud.used() == {}


@each_infrastructure
@each_scenario
def test_it_does_what_it_says(cloud: Cloud, scenario: Scenario) -> None:
    instance_id = scenario.start(cloud)
    if status := WORKFLOWS[scenario.workflow].status:
        assert cloud.words(instance_id) == (status, "")
    cloud.drain()
    holds(cloud, instance_id, scenario)
    assert cloud.last_operation(instance_id).state == State.SUCCEEDED


@each_infrastructure
@each_scenario
def test_crash_at_every_point(
    clouds: Clouds, scenario: Scenario, infrastructure: Infrastructure
) -> None:
    deaths = 0
    for point in infrastructure.points:
        cloud = clouds()
        instance_id = scenario.start(cloud)
        cloud.reset()
        cloud.at = crash_at(point)
        cloud.drain()
        holds(cloud, instance_id, scenario)
        if len(cloud.trace) <= point:
            break
        deaths += 1
    assert deaths >= 1


@each_infrastructure
@each_scenario
def test_failure_at_every_point_of_the_infrastructure(
    clouds: Clouds, scenario: Scenario, infrastructure: Infrastructure
) -> None:
    """Also with a crash at each point after the failure."""
    for point in infrastructure.points:
        cloud = clouds()
        instance_id = scenario.start(cloud)
        had = [] if scenario.builds else cloud.world.everything()
        cloud.reset()

        def fail(number: int, name: str, point: int = point) -> None:
            if number == point and name not in CHECKPOINTS:
                raise Failed(f"refused: {name}")
            if number == point + 3:
                raise Crash(name)

        cloud.at = fail
        cloud.drain()
        operation = cloud.last_operation(instance_id)
        if len(cloud.trace) <= point:
            break
        assert not operation.is_active
        if operation.state == State.FAILED:
            assert cloud.world.everything() == had, cloud.trace
            assert "refused" in cloud.show(instance_id).fault.message
            words = ("ERROR", ("",)) if not had else ("ACTIVE", scenario.after_failure)
            status, operating_status = cloud.words(instance_id)
            assert status == words[0]
            assert operating_status in words[1]
            assert cloud.used() == USED
        else:
            holds(cloud, instance_id, scenario)
    else:
        pytest.fail("did not come to an end")


@each_infrastructure
@each_scenario
def test_delete_at_every_moment(
    clouds: Clouds, scenario: Scenario, infrastructure: Infrastructure
) -> None:
    moments = 0
    for point in infrastructure.points:
        cloud = clouds()
        instance_id = scenario.start(cloud)
        cloud.reset()

        def delete(
            number: int, name: str, point: int = point, cloud: Cloud = cloud, it: str = instance_id
        ) -> None:
            if number == point:
                delete_quietly(cloud, it)

        cloud.at = delete
        cloud.drain()
        if len(cloud.trace) <= point:
            break
        moments += 1
        has_nothing(cloud)
        assert cloud.last_operation(instance_id).workflow == "instance.delete"
    assert moments >= 1


@each_infrastructure
def test_crash_at_every_point_of_a_deletion(clouds: Clouds, infrastructure: Infrastructure) -> None:
    deaths = 0
    for point in infrastructure.points:
        cloud = clouds()
        instance_id = cloud.built()
        instances.delete(cloud.installation, cloud.caller, instance_id)
        cloud.reset()
        cloud.at = crash_at(point)
        cloud.drain()
        has_nothing(cloud)
        if len(cloud.trace) <= point:
            break
        deaths += 1
    assert deaths > 2


@each_infrastructure
def test_a_deletion_is_never_turned_back(clouds: Clouds) -> None:
    """Each call of the infrastructure fails twice; the deletion goes on."""
    cloud = clouds()
    instance_id = cloud.built()
    instances.delete(cloud.installation, cloud.caller, instance_id)
    failures: dict[str, int] = {}

    def fail(number: int, name: str) -> None:
        if name not in CHECKPOINTS and failures.get(name, 0) < 2:
            failures[name] = failures.get(name, 0) + 1
            raise Failed(name)

    cloud.at = fail
    cloud.drain(100)
    has_nothing(cloud)
    assert len(failures) >= 3


@each_infrastructure
@each_scenario
def test_cancel_at_every_moment(
    clouds: Clouds, scenario: Scenario, infrastructure: Infrastructure
) -> None:
    cancelled = 0
    for point in infrastructure.points:
        cloud = clouds()
        instance_id = scenario.start(cloud)
        had = [] if scenario.builds else cloud.world.everything()
        cloud.reset()

        def stop(
            number: int, name: str, point: int = point, cloud: Cloud = cloud, it: str = instance_id
        ) -> None:
            if number == point:
                cancel_quietly(cloud, it)

        cloud.at = stop
        cloud.drain()
        if len(cloud.trace) <= point:
            break
        operation = cloud.last_operation(instance_id)
        assert operation.state in {State.CANCELLED, State.SUCCEEDED}
        if operation.state == State.CANCELLED:
            cancelled += 1
            assert cloud.world.everything() == had
            assert cloud.used() == USED
        else:
            holds(cloud, instance_id, scenario)
    assert cancelled or infrastructure.every > 1 or not scenario.reversible


@each_infrastructure
@each_scenario
def test_reset_and_delete_at_every_moment(
    clouds: Clouds, scenario: Scenario, infrastructure: Infrastructure
) -> None:
    """Others are at work at once, while the step that was given up is not over yet."""
    for point in infrastructure.points:
        cloud = clouds()
        instance_id = scenario.start(cloud)
        cloud.reset()

        def force(
            number: int, name: str, point: int = point, cloud: Cloud = cloud, it: str = instance_id
        ) -> None:
            if number == point:
                with suppress(NotFound):  # a deletion has come to its end
                    instances.reset_status(cloud.installation, cloud.caller, it)
                    instances.force_delete(cloud.installation, cloud.caller, it)
                cloud.runner().run_until_idle()

        cloud.at = force
        cloud.drain()
        if len(cloud.trace) <= point:
            break
        has_nothing(cloud)
        assert cloud.last_operation(instance_id).workflow == "instance.delete"
    else:
        pytest.fail("did not come to an end")


def delete_quietly(cloud: Cloud, instance_id: str) -> None:
    """As a user would, whose instance may be deleted already."""
    with suppress(NotFound):
        instances.delete(cloud.installation, cloud.caller, instance_id)


def cancel_quietly(cloud: Cloud, instance_id: str) -> None:
    """As a user would, who may come too late."""
    with cloud.database.begin() as session:
        operation = cloud.last_operation(instance_id)
        try:
            cancel(session, operation, WORKFLOWS[operation.workflow], clock=cloud.clock)
        except Conflict:
            return


@pytest.mark.parametrize(
    ("workflow", "task"),
    [
        ("instance.create", "prepare"),
        ("instance.restart", "restart"),
        ("instance.stop", "stop"),
        ("instance.resize_flavor", "resize"),
    ],
)
def test_an_agent_that_fails_a_task(cloud: Cloud, workflow: str, task: str) -> None:
    cloud.agents.failures = {}
    scenario = BY_NAME[workflow]
    instance_id = scenario.start(cloud)
    cloud.agents.failures = {task: TaskFailure("the engine says no")}
    cloud.drain()
    view = cloud.show(instance_id)
    assert cloud.last_operation(instance_id).state == State.FAILED
    assert "the engine says no" in view.fault.message
    assert cloud.used() == USED
    if workflow == "instance.create":
        assert view.status == "ERROR"
        assert cloud.world.everything() == []
    else:
        assert (view.status, view.row.flavor_id) == ("ACTIVE", "2")


@pytest.mark.parametrize("workflow", ["instance.create", "instance.restart"])
def test_an_agent_that_never_answers(cloud: Cloud, workflow: str) -> None:
    scenario = BY_NAME[workflow]
    instance_id = scenario.start(cloud)
    cloud.answers = False
    cloud.drain(40)
    fault = cloud.show(instance_id).fault
    assert "did not finish within" in fault.message
    enrolled = "has not enrolled yet" in fault.message
    assert enrolled is (workflow == "instance.create")


def test_an_agent_that_cannot_start_ends_its_order_at_once(cloud: Cloud) -> None:
    """The infrastructure sees why; no one waits for the agent until the patience ends."""
    instance_id = cloud.order()
    cloud.answers = False
    cloud.at = partial(_fail_agent, cloud, instance_id)
    began = cloud.clock.now()
    cloud.drain()
    view, failed = cloud.show(instance_id), cloud.last_operation(instance_id)
    assert (view.status, failed.turned_back_at) == ("ERROR", "datastore.prepare")
    assert view.fault is not None
    assert "its agent does not start: ModuleNotFoundError: engine" in view.fault.message
    assert failed.error == view.fault.message
    assert (cloud.clock.now() - began).total_seconds() < cloud.settings.timing.usage_timeout / 10
    assert cloud.used() == USED
    assert cloud.world.everything() == []


def _fail_agent(cloud: Cloud, instance_id: str, number: int, name: str) -> None:
    if name.startswith("after create server"):
        error = "ModuleNotFoundError: engine"
        cloud.world.change("server", f"trove-{instance_id}", agent_error=error)


def test_a_server_has_what_the_section_of_its_datastore_sets(cloud: Cloud) -> None:
    section = {"ignore_dbs": "monitor", "max-item-size": "8m"}
    settings = replace(cloud.settings, datastores={"postgresql": section, "other": {"x": "1"}})
    cloud.installation = replace(cloud.installation, settings=settings)
    instance_id = cloud.built()
    server = cloud.world.get("server", f"trove-{instance_id}")
    assert server is not None
    assert server["settings"] == {"max-item-size": "8m"}


def test_an_agent_that_has_run_before_may_come_back(cloud: Cloud) -> None:
    instance_id = BY_NAME["instance.restart"].start(cloud)
    cloud.answers = False
    cloud.world.change("server", f"trove-{instance_id}", agent_error="MemoryError")
    cloud.drain(1)
    waiting = cloud.last_operation(instance_id)
    assert waiting.state == State.RUNNING
    assert waiting.note == "the agent ends at each start: MemoryError"
    cloud.answers = True
    cloud.drain()
    assert cloud.last_operation(instance_id).state == State.SUCCEEDED


@pytest.mark.parametrize(
    ("state", "detail"), [("failed", "no host is large enough"), ("absent", "it was removed")]
)
def test_a_server_that_is_not_built(cloud: Cloud, state: str, detail: str) -> None:
    instance_id = cloud.order()

    def fail(number: int, name: str) -> None:
        if name.startswith("after create server"):
            cloud.world.change("server", f"trove-{instance_id}", state=state, detail=detail)

    cloud.at = fail
    cloud.drain()
    assert detail in cloud.show(instance_id).fault.message
    assert cloud.world.everything() == []


def test_a_server_that_takes_its_time(cloud: Cloud) -> None:
    instance_id = cloud.order()
    name = f"trove-{instance_id}"

    def build_slowly(number: int, point: str) -> None:
        if point.startswith("after create server"):
            cloud.at = lambda number, point: None
            cloud.world.change("server", name, state="building")

    cloud.at = build_slowly
    cloud.drain(2)
    operation = cloud.busy_with(instance_id)
    assert operation is not None
    assert (operation.step, operation.note) == ("server.await_up", "the server is being built")
    cloud.world.change("server", name, state="up")
    cloud.drain()
    view = cloud.show(instance_id)
    assert {key: fact_of(view, key) for key in ACTIVE} == ACTIVE


def test_a_server_that_went_down_is_brought_back(cloud: Cloud) -> None:
    instance_id, healthy = cloud.built(), cloud.built(name="healthy")
    cloud.start_rounds()
    cloud.world.change("server", f"trove-{instance_id}", state="down")
    cloud.drain(3)
    view = view_of(cloud.provider.compute, f"trove-{instance_id}")
    assert view.state == "up"
    assert cloud.last_operation(instance_id).workflow == "instance.recover"
    assert cloud.words(instance_id) == ("ACTIVE", "HEALTHY")
    assert cloud.last_operation(healthy).workflow == "instance.create"


@pytest.mark.parametrize("workflow", ["instance.create", "instance.restart"])
def test_a_server_that_goes_down_meanwhile_is_brought_back(
    cloud: Cloud, workflow: str, caplog: pytest.LogCaptureFixture
) -> None:
    scenario = BY_NAME[workflow]
    instance_id = scenario.start(cloud)
    cloud.answers = False
    cloud.drain(1)
    cloud.world.change("server", f"trove-{instance_id}", state="down")
    cloud.drain(1)
    assert "went down and was started again" in caplog.text
    cloud.answers = True
    cloud.drain()
    holds(cloud, instance_id, scenario)


def test_a_server_that_cannot_stay_up_is_abandoned(cloud: Cloud) -> None:
    instance_id = cloud.order()
    cloud.answers = False
    name = f"trove-{instance_id}"

    def fall_down(number: int, point: str) -> None:
        if point.startswith(("after create server", "after change server")):
            cloud.at = lambda number, point: None
            cloud.world.change("server", name, state="down", detail="no such program")
            cloud.at = fall_down

    cloud.at = fall_down
    cloud.drain(20)
    assert "no such program" in cloud.show(instance_id).fault.message
    assert cloud.world.everything() == []


def test_the_watch_goes_on_when_a_server_cannot_be_viewed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.built()

    def refuse(*_: object) -> None:
        raise Unavailable("the infrastructure does not answer")

    monkeypatch.setattr(type(cloud.provider.compute), "server_views", refuse)
    cloud.answers = False
    cloud.start_rounds()
    cloud.drain(2)
    assert "cannot view the servers: the infrastructure does not answer" in caplog.text


def test_the_watch_views_all_servers_in_one_request_outside_of_transactions(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        cloud.built()
    compute = type(cloud.provider.compute)
    views, connections = compute.server_views, []

    def count(self: FakeCompute, scopes: Mapping[str, Scope]) -> Mapping[str, ServerView]:
        pool = cloud.database.engine.pool
        assert isinstance(pool, QueuePool)
        connections.append((len(scopes), pool.checkedout()))
        return views(self, scopes)

    monkeypatch.setattr(compute, "server_views", count)
    cloud.answers = False
    cloud.start_rounds()
    cloud.drain(2)
    assert connections == [(3, 0), (3, 0)]


def test_one_server_that_cannot_be_viewed_hides_no_other(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    broken, down = cloud.built(), cloud.built()
    cloud.world.change("server", f"trove-{broken}", state="unknown", detail="I/O error")
    cloud.world.change("server", f"trove-{down}", state=ServerState.DOWN.value)
    cloud.answers = False
    cloud.start_rounds()
    cloud.drain(2)
    assert cloud.last_operation(down).workflow == "instance.recover"
    assert cloud.last_operation(broken).workflow == "instance.create"
    assert f"cannot view the server trove-{broken}: I/O error" in caplog.text


def test_what_was_never_built_is_no_instance_that_works(cloud: Cloud) -> None:
    """Its server could not even be taken back."""
    cloud.agents.failures = {"prepare": TaskFailure("the engine says no")}
    instance_id = cloud.order()

    def fail(number: int, name: str) -> None:
        if name.startswith("before delete server"):
            raise Failed("refused")

    cloud.at = fail
    cloud.drain()
    view = cloud.show(instance_id)
    assert (view.status, view.operating_status, view.row.server_id) == ("ERROR", "", None)
    assert "besides, undoing server.boot failed: refused" in view.fault.message
    for change in (instances.restart, instances.reboot):
        with pytest.raises(NotReady, match="never built"):
            change(cloud.installation, cloud.caller, instance_id)
    cloud.world.change("server", f"trove-{instance_id}", state="down")
    cloud.start_rounds()
    cloud.drain(2)
    assert cloud.last_operation(instance_id).workflow == "instance.create"
    instances.delete(cloud.installation, cloud.caller, instance_id)
    cloud.reset()
    cloud.drain(5)
    has_nothing(cloud)


def test_an_undoing_that_is_given_up_gives_the_quota_back_all_the_same(cloud: Cloud) -> None:
    instance_id = cloud.built()
    cloud.agents.failures = {"resize": TaskFailure("the engine says no")}
    instances.resize_flavor(cloud.installation, cloud.caller, instance_id, "3")

    def fail(number: int, name: str) -> None:
        if name.startswith("before change server") and cloud.trace.count(name) > 1:
            raise Failed("refused")

    cloud.at = fail
    cloud.drain()
    assert "undoing server.widen failed" in cloud.show(instance_id).fault.message
    assert cloud.used() == USED
    instances.delete(cloud.installation, cloud.caller, instance_id)
    cloud.drain()
    has_nothing(cloud)


def test_a_growth_that_failed_is_not_paid_for(cloud: Cloud) -> None:
    scenario = BY_NAME["instance.resize_volume"]
    instance_id = scenario.start(cloud)

    def fail(number: int, name: str) -> None:
        if name.startswith("before change volume"):
            raise Failed("no room")

    cloud.at = fail
    cloud.drain()
    assert cloud.show(instance_id).fault.message == "no room"
    assert cloud.used() == USED


def watch(cloud: Cloud, seconds: int) -> None:
    for _ in range(0, seconds, 5):
        cloud.runner().run_until_idle()
        cloud.clock.advance(5)


def recoveries(cloud: Cloud, instance_id: str) -> int:
    with cloud.database.session() as session:
        mine = select(Operation.id).where(
            Operation.subject_id == instance_id, Operation.workflow == "instance.recover"
        )
        return len(session.scalars(mine).all())


def test_a_server_that_cannot_be_recovered_is_reported_and_retried_less_often(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = cloud.built()
    cloud.world.change("server", f"trove-{instance_id}", state="down")

    def refuse(*_: object) -> None:
        raise Failed("no such program")

    with monkeypatch.context() as broken:
        broken.setattr(FakeCompute, "start_server", refuse)
        cloud.start_rounds()
        watch(cloud, 300)
        assert 4 <= recoveries(cloud, instance_id) <= 6
        assert cloud.show(instance_id).fault.message == "no such program"
        watch(cloud, 3600)
        assert 8 <= recoveries(cloud, instance_id) <= 13
    cloud.clock.advance(6 * 3600)
    watch(cloud, 10)
    assert view_of(cloud.provider.compute, f"trove-{instance_id}").state == "up"
    cloud.agents.run()
    assert cloud.show(instance_id).fault is None


def test_a_server_that_does_not_stay_up_is_started_less_often(cloud: Cloud) -> None:
    instance_id = cloud.built()
    name = f"trove-{instance_id}"
    cloud.start_rounds()
    for _ in range(60):
        cloud.world.change("server", name, state="down")
        watch(cloud, 5)
    assert 4 <= recoveries(cloud, instance_id) <= 6
    watch(cloud, 4600)
    before = recoveries(cloud, instance_id)
    cloud.world.change("server", name, state="down")
    watch(cloud, 10)
    assert recoveries(cloud, instance_id) == before + 1
    assert cloud.last_operation(instance_id).args["times"] == 1


def test_what_was_reset_is_brought_back_as_well(cloud: Cloud) -> None:
    instance_id = cloud.built()
    instances.reset_status(cloud.installation, cloud.caller, instance_id)
    cloud.world.change("server", f"trove-{instance_id}", state="down")
    cloud.start_rounds()
    watch(cloud, 10)
    assert recoveries(cloud, instance_id) == 1


def test_every_workflow_has_a_scenario() -> None:
    """A new workflow is not released untested."""
    tested = {*BY_NAME, *(each.workflow for each in ROUNDS)}
    assert set(WORKFLOWS) == tested


def test_every_module_of_scenarios_is_named_after_its_workflow() -> None:
    for module in modules():
        name = module.__name__.rpartition(".")[2].replace("_", ".", 1)
        assert {each.workflow for each in module.SCENARIOS} == {name}


@each_round
def test_a_round_does_what_it_says(cloud: Cloud, periodic: Round) -> None:
    instance_id = periodic.start(cloud)
    assert not periodic.is_done(cloud, instance_id)
    cloud.drain(periodic.rounds)
    assert periodic.is_done(cloud, instance_id)
    assert cloud.used() == USED


@each_round
def test_crash_at_every_point_of_a_round(clouds: Clouds, periodic: Round) -> None:
    """It goes on, and has done its work once the others have."""
    for point in range(len(trace_of(clouds(), periodic))):
        cloud = clouds()
        instance_id = periodic.start(cloud)
        cloud.reset()
        cloud.at = crash_at(point)
        cloud.drain(periodic.rounds)
        assert len(cloud.trace) > point
        cloud.reset()
        cloud.drain(periodic.rounds)
        assert periodic.is_done(cloud, instance_id), point
        assert cloud.used() == USED


@each_round
def test_failure_at_every_point_of_a_round(clouds: Clouds, periodic: Round) -> None:
    for point in range(len(trace_of(clouds(), periodic))):
        cloud = clouds()
        instance_id = periodic.start(cloud)
        cloud.reset()

        def fail(number: int, name: str, point: int = point) -> None:
            if number == point and name not in CHECKPOINTS:
                raise Failed(f"refused: {name}")

        cloud.at = fail
        cloud.drain(periodic.rounds)
        cloud.reset()
        cloud.drain(periodic.rounds)
        assert periodic.is_done(cloud, instance_id), point
        assert cloud.used() == USED


@each_round
def test_delete_at_every_point_of_a_round(clouds: Clouds, periodic: Round) -> None:
    """But for `before commit`: one thread cannot write beside its own open transaction."""
    passed = trace_of(clouds(), periodic)
    assert len(passed) > passed.count("before commit")
    for point in (n for n, name in enumerate(passed) if name != "before commit"):
        cloud = clouds()
        instance_id = periodic.start(cloud)
        cloud.reset()

        def delete(
            number: int, name: str, point: int = point, cloud: Cloud = cloud, it: str = instance_id
        ) -> None:
            if number == point:
                instances.delete(cloud.installation, cloud.caller, it)

        cloud.at = delete
        cloud.drain(periodic.rounds)
        cloud.reset()
        cloud.drain(periodic.rounds)
        has_nothing(cloud)


def trace_of(cloud: Cloud, periodic: Round) -> list[str]:
    """The points that its first rounds pass."""
    periodic.start(cloud)
    cloud.reset()
    cloud.drain(periodic.rounds)
    return list(cloud.trace)


def test_a_volume_that_the_infrastructure_cannot_make(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(volumes: FakeVolumes, name: str) -> VolumeView:
        is_there = volumes.world.look("volume", name) is not None
        state = VolumeState.FAILED if is_there else VolumeState.ABSENT
        return VolumeView(state, "no space in the pool")

    monkeypatch.setattr(FakeVolumes, "volume_view", view)
    instance_id = cloud.order()
    cloud.drain()
    fault = cloud.show(instance_id).fault
    assert fault.message == "the volume is failed: no space in the pool"


def test_a_server_that_fails_while_it_is_stopped(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = cloud.built()
    lost = ServerView(ServerState.FAILED, "its host is gone")
    views = lambda self, names: dict.fromkeys(names, lost)  # noqa: E731
    monkeypatch.setattr(FakeCompute, "server_views", views)
    instances.reboot(cloud.installation, cloud.caller, instance_id)
    cloud.drain()
    assert cloud.show(instance_id).fault.message == "the server is failed: its host is gone"


def test_a_resize_that_the_infrastructure_cannot_do(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = cloud.built()
    failed = lambda self, name: ResizeState.FAILED  # noqa: E731
    monkeypatch.setattr(FakeCompute, "resize_state", failed)
    instances.resize_flavor(cloud.installation, cloud.caller, instance_id, "3")
    cloud.drain()
    view = cloud.show(instance_id)
    assert view.fault.message.startswith("the infrastructure cannot resize the server")
    assert view.row.flavor_id == "2"
