"""The task manager as a process runs it: real threads, real clock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from tests.support.waiting import until
from trove.cli.services.wiring import with_own_certificate
from trove.db import DatabaseClock
from trove.engine import Operation, State
from trove.engine.runner import StepDone
from trove.models import Event, Instance
from trove.services.authority import load_authority
from trove.taskmanager.service import TaskManager, environment_of
from trove.testing import TaskFailure
from trove.testing.world import Cloud, metadata_in


def test_operations_are_carried_out_and_logged(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, metadata_in(tmp_path, clock=DatabaseClock()))
    seen: list[StepDone] = []
    manager = TaskManager(cloud.installation, cloud.provider, observe=seen.append)
    manager.start()
    try:
        instance_id = cloud.order()

        def done() -> bool:
            cloud.agents.run()
            return cloud.busy_with(instance_id) is None

        until(done)
    finally:
        manager.stop()
    assert cloud.last_operation(instance_id).state == State.SUCCEEDED
    assert {step.step for step in seen} >= {"volume.create", "datastore.prepare"}
    with cloud.database.session() as session:
        kinds = list(session.scalars(select(Event.kind).order_by(Event.id)))
        rounds = set(
            session.scalars(select(Operation.workflow).where(Operation.subject_id != instance_id))
        )
    assert kinds == ["instance.create.start", "instance.create.end"]
    assert rounds == {"servers.watch", "records.prune"}
    cloud.database.dispose()


def test_an_agent_starts_with_all_that_it_needs(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    instance_id = cloud.order()
    environment = environment_of(cloud.installation, cloud.provider)
    with cloud.database.session() as session:
        row = session.get_one(Instance, instance_id)
        bare = json.loads(environment.agent_files(row, "the token")["agent.json"])
        assert bare == {
            "instance_id": instance_id,
            "conductor_url": "http://127.0.0.1:8780",
            "token": "the token",
            "authority": None,
        }
        (tmp_path / "ca").mkdir()
        (tmp_path / "ca" / "ca.crt").write_text("PEM")
        assert json.loads(environment.agent_files(row, "t")["agent.json"])["authority"] == "PEM"
    cloud.database.dispose()


def test_an_agent_trusts_our_authority_alone_where_it_signed_the_conductors_certificate(
    tmp_path: Path,
) -> None:
    cloud = Cloud(tmp_path)
    instance_id = cloud.order()
    settings = with_own_certificate(cloud.installation.settings)
    environment = environment_of(replace(cloud.installation, settings=settings), cloud.provider)
    with cloud.database.session() as session:
        row = session.get_one(Instance, instance_id)
        config = json.loads(environment.agent_files(row, "the token")["agent.json"])
    assert config["conductor_url"] == "https://127.0.0.1:8780"
    assert config["only_authority"]
    assert config["authority"] == load_authority(settings.authority).pem
    cloud.database.dispose()


def test_failures_are_logged_with_their_reason(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.agents.failures = {"prepare": TaskFailure("the disk is full")}
    instance_id = cloud.order()
    cloud.drain()
    with cloud.database.session() as session:
        event = session.scalars(select(Event).where(Event.kind == "instance.create.error")).one()
    assert (event.subject_id, event.payload) == (instance_id, {"error": "the disk is full"})
    cloud.database.dispose()
