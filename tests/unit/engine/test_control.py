"""Start, wake, cancel, supersede: each in the caller's own transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from tests.support.recipes import WORKFLOWS
from tests.support.things import Things
from trove.engine import (
    Operation,
    State,
    active_of,
    await_children,
    cancel,
    ensure_periodic,
    start,
    supersede,
    wake,
)
from trove.errors import Conflict, Failed, ResourceBusy
from trove.testing.world import LEASE

CREATE = WORKFLOWS["thing.create"]


def test_what_was_begun_is_due_at_once_at_the_first_step(world: Things) -> None:
    operation = world.look(world.begin("thing.create", size=3))
    assert (operation.state, operation.step) == (State.RUNNING, "recipes.make_volume")
    assert operation.due_at == operation.created_at == operation.step_since == world.clock.time
    assert (operation.args, operation.attempt, operation.progress) == ({"size": 3}, 0, 0)
    assert operation.is_active


def test_a_subject_has_one_operation_at_a_time(world: Things) -> None:
    begun = world.begin("thing.create", "s")
    with pytest.raises(ResourceBusy):
        world.begin("thing.delete", "s")
    with world.database.begin() as session:
        found = active_of(session, "s")
        assert found is not None and found.id == begun
    world.drain()
    with world.database.begin() as session:
        assert active_of(session, "s") is None
    world.begin("thing.delete", "s")


def test_a_part_belongs_to_whom_its_whole_belongs_to(world: Things) -> None:
    with world.database.begin() as session:
        whole = start(session, CREATE, "s", project_id="p", request_id="r")
        part = start(session, CREATE, "t", parent=whole)
        assert (part.parent_id, part.project_id, part.request_id) == (whole.id, "p", "r")


def test_waking_what_has_ended_changes_nothing(world: Things) -> None:
    operation = world.begin("thing.create")
    world.drain()
    world.wake(operation)
    found = world.look(operation)
    assert (found.due_at, found.state) == (None, State.SUCCEEDED)


def test_cancel_turns_back_at_once_when_no_runner_is_at_work(world: Things) -> None:
    operation = world.begin("thing.create")
    world.runner().run_until_idle()
    world.cancel(operation)
    assert world.look(operation).due_at == world.clock.time
    world.runner().run_until_idle()
    found = world.look(operation)
    assert (found.state, found.error) == (State.CANCELLED, "cancelled on request")
    assert world.inventory.everything() == []


def test_cancel_waits_for_the_step_in_flight(world: Things) -> None:
    operation = world.begin("thing.create")
    runner = world.runner()
    assert runner.leases.take()
    world.cancel(operation)
    assert world.look(operation).due_at == world.clock.time + LEASE
    assert not world.runner().run_once()
    world.clock.advance(LEASE.total_seconds())
    assert world.runner().run_once()
    assert world.state_of(operation) == State.CANCELLED


def test_what_has_ended_cannot_be_cancelled(small_world: Things) -> None:
    operation = small_world.begin("thing.create")
    small_world.drain()
    with pytest.raises(Conflict, match="succeeded: nothing to cancel"):
        small_world.cancel(operation)


def test_there_is_no_cancelling_at_or_after_a_final_step(small_world: Things) -> None:
    for failing in ("switch", "announce"):
        small_world.failing = {failing: OSError("held")}
        operation = small_world.begin("thing.move")
        small_world.runner().run_until_idle()
        with pytest.raises(Conflict, match=f"any more at recipes.{failing}"):
            small_world.cancel(operation)


def test_a_cancel_follows_an_operation_that_went_on_since_it_was_read(world: Things) -> None:
    operation = world.begin("thing.create")
    stale = world.look(operation)
    world.runner().run_until_idle()
    with world.database.begin() as session:
        cancel(session, stale, CREATE, clock=world.clock)
    found = world.look(operation)
    assert (found.state, found.turned_back_at) == (State.UNDOING, "recipes.await_up")
    world.drain()
    assert world.state_of(operation) == State.CANCELLED
    assert world.inventory.everything() == []


class Pursued:
    """A clock that is first read between the look and the turn: then the operation goes on."""

    def __init__(self, world: Things) -> None:
        self.world, self.was_read = world, False

    def now(self, session: object) -> datetime:
        if not self.was_read:
            self.was_read = True
            self.world.runner().run_once(lambda: False)
        return self.world.clock.now()

    def given(self, database_time: datetime) -> datetime:
        return self.world.clock.given(database_time)

    def stamp(self) -> datetime:
        return self.world.clock.stamp()


def test_a_cancel_catches_up_with_an_operation_that_goes_on(world: Things) -> None:
    operation = world.begin("thing.create")
    with world.database.begin() as session:
        cancel(session, world.look(operation), CREATE, clock=Pursued(world))
    found = world.look(operation)
    assert (found.state, found.turned_back_at) == (State.UNDOING, "recipes.make_server")


def test_a_cancel_gives_up_on_what_it_cannot_catch(
    small_world: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = small_world.begin("thing.create")
    monkeypatch.setattr("trove.engine.control.TRIES", 1)
    with small_world.database.begin() as session, pytest.raises(Conflict, match="try again"):
        cancel(session, small_world.look(operation), CREATE, clock=Pursued(small_world))
    assert small_world.state_of(operation) == State.RUNNING


def test_a_cancel_keeps_the_arguments_that_a_step_has_left_meanwhile(world: Things) -> None:
    operation = world.begin("thing.create", size=3)
    stale = world.look(operation)
    with world.database.begin() as session:
        session.execute(update(Operation).values(args={"size": 4}))
    with world.database.begin() as session:
        cancel(session, stale, CREATE, clock=world.clock)
    found = world.look(operation)
    assert (found.args, found.turned_back_at) == ({"size": 4}, "recipes.make_volume")


def test_what_replaces_an_operation_waits_for_the_step_in_flight(world: Things) -> None:
    waiting, busy = world.begin("thing.create"), world.begin("thing.create")
    deletion = world.replace(waiting, "thing.delete")
    assert world.look(deletion).due_at == world.clock.time
    while not world.look(busy).lease_token:
        assert world.runner().leases.take()
    assert world.look(world.replace(busy, "thing.delete")).due_at == world.clock.time + LEASE
    for operation in (waiting, busy):
        found = world.look(operation)
        assert found.state == State.SUPERSEDED
        assert (found.lease_token, found.due_at) == (None, None)


def test_what_is_started_long_after_a_supersession_waits_as_well(world: Things) -> None:
    operation = world.begin("thing.create", "s")
    assert world.runner().leases.take()
    with world.database.begin() as session:
        assert supersede(session, operation, clock=world.clock)
    over = world.clock.time + LEASE
    world.clock.advance(1)
    assert world.look(world.begin("thing.delete", "s")).due_at == over
    world.clock.advance(LEASE.total_seconds())
    assert world.look(world.begin("thing.create", "other")).due_at == world.clock.time


def test_superseding_what_has_ended_changes_nothing(world: Things) -> None:
    operation = world.begin("thing.create")
    world.drain()
    with world.database.begin() as session:
        assert not supersede(session, operation, clock=world.clock)
        assert not supersede(session, "nothing", clock=world.clock)
    assert world.state_of(operation) == State.SUCCEEDED


def test_superseding_takes_the_parts_along(world: Things) -> None:
    fleet = world.begin("fleet.create", parts=2)
    world.runner().run_once()
    parts = [name for name in world.active() if name != fleet]
    assert len(parts) == 2
    with world.database.begin() as session:
        busy = update(Operation).where(Operation.id == parts[0])
        session.execute(busy.values(lease_until=world.clock.time + timedelta(seconds=7)))
    deletion = world.replace(fleet, "fleet.delete")
    assert world.look(deletion).due_at == world.clock.time + timedelta(seconds=7)
    assert {world.state_of(part) for part in parts} == {State.SUPERSEDED}


def test_joining_waits_for_all_and_names_those_that_failed(world: Things) -> None:
    with world.database.begin() as session:
        whole = start(session, CREATE, "s")
        parts = [start(session, CREATE, f"s{n}", parent=whole) for n in range(3)]
    with world.database.begin() as session:
        assert await_children(session, parts[0]) is None
        waiting = await_children(session, whole)
        assert waiting is not None
        assert (waiting.note, waiting.progress) == ("0 of 3 parts done", 0.0)
    with world.database.begin() as session:
        for part, state, error in zip(
            parts,
            (State.SUCCEEDED, State.FAILED, State.SUPERSEDED),
            (None, "no", None),
            strict=True,
        ):
            ended = update(Operation).where(Operation.id == part.id)
            session.execute(ended.values(state=state, error=error))
    with world.database.begin() as session, pytest.raises(Failed) as caught:
        await_children(session, whole)
    errors = ["thing.create of s1: no", "thing.create of s2: superseded"]
    assert sorted(caught.value.message.split("; ")) == errors


def test_a_periodic_workflow_goes_on_once(world: Things) -> None:
    for _ in range(3):
        ensure_periodic(world.database, WORKFLOWS["round"], clock=world.clock)
    assert len(world.active()) == 1
    for _ in range(3):
        world.runner().run_until_idle()
        world.clock.advance(3601)
    assert world.trace.count("look_around") == 3
    assert len(world.active()) == 1


def test_a_periodic_workflow_that_another_process_starts_meanwhile(
    world: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_periodic(world.database, WORKFLOWS["round"])
    monkeypatch.setattr("trove.engine.control.active_of", lambda *_: None)
    ensure_periodic(world.database, WORKFLOWS["round"])
    assert len(world.active()) == 1


def test_a_wake_up_in_a_transaction_that_fails_is_none(world: Things) -> None:
    operation = world.begin("thing.create")
    with pytest.raises(ZeroDivisionError), world.database.begin() as session:
        wake(session, operation)
        raise ZeroDivisionError
    assert world.look(operation).wakeups == 0
