"""Fake agents against a real conductor, through a socket and in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import (
    Conductor,
    add_instance,
    agent_row,
    conductor_in,
    dispatch_task,
    invite,
    task_row,
)
from trove.errors import Failed, NotFound, Unauthenticated
from trove.models import Instance
from trove.protocol import Account, ErrorKind
from trove.testing import AppCalls, Calls, FakeAgent, HttpCalls, TaskFailure
from trove.testing.world import Cloud

ANN = {"name": "ann", "host": None}


@pytest.fixture
def conductor(tmp_path: Path) -> Iterator[Conductor]:
    with conductor_in(tmp_path) as running:
        yield running


@pytest.fixture(params=["socket", "process"])
def calls(request: pytest.FixtureRequest, conductor: Conductor) -> Iterator[Calls]:
    if request.param == "process":
        yield AppCalls(conductor.app)
        return
    made = HttpCalls(conductor.url)
    yield made
    made.close()


@pytest.fixture
def instance_id(conductor: Conductor) -> str:
    return add_instance(conductor.installation)


@pytest.fixture
def agent(conductor: Conductor, instance_id: str, calls: Calls) -> FakeAgent:
    return FakeAgent(calls, invite(conductor.installation, instance_id))


def result_of(conductor: Conductor, agent: FakeAgent, kind: str, **args: Any) -> Any:
    """What the task was answered with."""
    assert agent.instance_id
    task_id = dispatch_task(conductor.installation, agent.instance_id, kind, **args)
    agent.run()
    task = task_row(conductor.installation, task_id)
    assert task.answered
    assert task.error is None
    return task.result


def test_it_enrols_and_reports(conductor: Conductor, agent: FakeAgent, instance_id: str) -> None:
    agent.state = "starting"
    agent.run()
    assert agent.instance_id == instance_id
    row = agent_row(conductor.installation, instance_id)
    assert (row.engine_state, row.version) == ("starting", "fake")


def test_each_task_is_done_once(conductor: Conductor, agent: FakeAgent) -> None:
    agent.run()
    result_of(conductor, agent, "restart")
    agent.run()
    assert [task.kind for task in agent.received] == ["restart"]


def test_a_task_fails_as_the_test_chose(
    conductor: Conductor, agent: FakeAgent, instance_id: str
) -> None:
    agent.failures["restart"] = TaskFailure("no", ErrorKind.UNAVAILABLE)
    task_id = dispatch_task(conductor.installation, instance_id, "restart")
    agent.run()
    task = task_row(conductor.installation, task_id)
    assert (task.error, task.error_kind) == ("no", ErrorKind.UNAVAILABLE)


def test_a_used_token_is_refused(agent: FakeAgent, calls: Calls) -> None:
    agent.enrol()
    with pytest.raises(Unauthenticated):
        FakeAgent(calls, agent.token).run()


def test_a_lost_answer_to_the_enrolment_costs_nothing(agent: FakeAgent) -> None:
    agent.enrol()
    agent.enrol()
    agent.run()


def test_the_agent_of_a_deleted_instance_stops(conductor: Conductor, agent: FakeAgent) -> None:
    agent.run()
    installation = conductor.installation
    with installation.database.begin() as session:
        row = session.get_one(Instance, agent.instance_id)
        row.deleted_at = installation.clock.now(session)
    with pytest.raises(NotFound):
        agent.run()


def test_a_call_that_is_not_understood_fails(agent: FakeAgent) -> None:
    agent.credential = "short"
    with pytest.raises(Failed, match="400"):
        agent.enrol()


def test_accounts_are_kept_as_an_engine_would(conductor: Conductor, agent: FakeAgent) -> None:
    agent.run()
    databases = [{"name": "app"}, {"name": "shop"}]
    users = [{"name": "ann", "password": "p", "databases": ["app"]}]
    prepared = result_of(conductor, agent, "prepare", databases=databases, users=users)
    assert [d["name"] for d in prepared["accounts"]["databases"]] == ["app", "shop"]
    assert "password" not in prepared["accounts"]["users"][0]
    result_of(conductor, agent, "grant", **ANN, databases=["shop"])
    result_of(conductor, agent, "revoke", **ANN, database="app")
    assert agent.accounts.users == [Account("ann", None, ["shop"])]
    result_of(conductor, agent, "update_user", **ANN, new_name="eve", new_password="q")
    result_of(conductor, agent, "delete_database", name="app")
    assert [known.name for known in agent.accounts.databases] == ["shop"]
    changed = [{"name": "eve", "password": "r"}]
    result_of(conductor, agent, "change_passwords", users=changed)
    assert agent.passwords["eve"] == "r"
    result_of(conductor, agent, "delete_user", name="eve", host=None)
    assert agent.accounts.users == []


def test_root_is_enabled_and_disabled(conductor: Conductor, agent: FakeAgent) -> None:
    agent.run()
    enabled = result_of(conductor, agent, "enable_root", password="p")
    assert (enabled["name"], enabled["accounts"]["root_enabled"]) == ("root", True)
    disabled = result_of(conductor, agent, "disable_root")
    assert disabled["accounts"]["root_enabled"] is False
    assert result_of(conductor, agent, "diagnose")["hwinfo"]["num_cpus"] == 2


def test_there_is_an_agent_on_each_server_that_is_up(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    instance_id = cloud.built()
    assert cloud.agents.of(instance_id).instance_id == instance_id
    assert cloud.words(instance_id) == ("ACTIVE", "HEALTHY")
    cloud.world.clear()
    known = len(cloud.agents.of(instance_id).received)
    cloud.agents.run()
    assert len(cloud.agents.of(instance_id).received) == known
    cloud.database.dispose()


def test_an_agent_that_is_not_known_any_more_does_not_stop_the_others(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    first, second = cloud.built(name="first"), cloud.built(name="second")
    cloud.agents.of(first).credential = "of an installation that was restored from long ago"
    cloud.agents.state = "stopped"
    cloud.agents.run()
    states = {i: cloud.show(i).operating_status for i in (first, second)}
    assert (states[first], states[second]) == ("HEALTHY", "SHUTDOWN")
    assert len(list(cloud.agents)) == 2
    cloud.database.dispose()
