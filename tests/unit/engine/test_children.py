"""Parts of a whole: joined, turned back with it, waited for, and taken along."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.support.recipes import WORKFLOWS
from tests.support.things import Things
from trove.engine import Operation, State, Wait, Workflow, start, step
from trove.errors import Failed


def parts_of(world: Things, whole: str) -> list[str]:
    return [name for name in world.active() if world.look(name).parent_id == whole]


def test_the_last_part_wakes_the_whole(world: Things) -> None:
    fleet = world.begin("fleet.create", parts=2)
    world.runner().run_until_idle()
    waiting = world.look(fleet)
    assert (waiting.step, waiting.note) == ("recipes.join", "0 of 2 parts done")
    world.bring_up()
    world.runner().run_until_idle()
    assert world.state_of(fleet) == State.SUCCEEDED
    assert world.clock.time == world.look(fleet).created_at


def test_a_part_that_fails_turns_the_whole_back(world: Things) -> None:
    fleet = world.begin("fleet.create", parts=2)
    world.runner().run_until_idle()
    failing = parts_of(world, fleet)[0]
    with world.database.begin() as session:
        spoilt = update(Operation).where(Operation.id == failing)
        session.execute(spoilt.values(attempt=99))
    world.drain()
    assert world.state_of(fleet) == State.FAILED
    assert "did not survive 8 attempts" in (world.look(fleet).error or "")
    assert world.inventory.everything() == []


def test_a_cancelled_whole_turns_its_parts_back_first(world: Things) -> None:
    fleet = world.begin("fleet.create", parts=2)
    world.runner().run_until_idle()
    parts = parts_of(world, fleet)
    world.cancel(fleet)
    assert world.runner().run_once()
    assert world.look(fleet).note == "2 parts are turning back"
    world.drain()
    assert world.state_of(fleet) == State.CANCELLED
    assert {world.state_of(part) for part in parts} == {State.CANCELLED}
    assert {world.look(part).error for part in parts} == {"what it is a part of turned back"}
    assert world.inventory.everything() == []


def test_parts_without_a_way_back_are_waited_for(world: Things) -> None:
    fleet = world.begin("fleet.create", parts=1)
    world.runner().run_until_idle()
    [part] = parts_of(world, fleet)
    with world.database.begin() as session:
        moved = update(Operation).where(Operation.id == part)
        session.execute(moved.values(workflow="thing.move", step="recipes.announce"))
    world.failing["announce"] = OSError("not yet")
    world.cancel(fleet)
    world.runner().run_until_idle()
    assert (world.state_of(fleet), world.state_of(part)) == (State.UNDOING, State.RUNNING)
    world.failing.clear()
    world.drain()
    assert (world.state_of(fleet), world.state_of(part)) == (State.CANCELLED, State.SUCCEEDED)


@pytest.mark.parametrize("workflow", ["thing.move", "of.tomorrow"])
def test_parts_that_do_not_end_are_superseded_at_last(world: Things, workflow: str) -> None:
    fleet = world.begin("fleet.create", parts=1)
    world.runner().run_until_idle()
    [part] = parts_of(world, fleet)
    with world.database.begin() as session:
        moved = update(Operation).where(Operation.id == part)
        session.execute(moved.values(workflow=workflow, step="recipes.announce"))
    world.failing["announce"] = OSError("never")
    world.cancel(fleet)
    world.drain()
    assert (world.state_of(fleet), world.state_of(part)) == (State.CANCELLED, State.SUPERSEDED)


def test_undoing_that_fails_is_tried_again(world: Things) -> None:
    world.failing |= {"announce": Failed("no"), "unmake_server": OSError("held")}
    operation = world.begin("thing.create")
    world.runner().run_until_idle()
    world.bring_up()
    world.runner().run_until_idle()
    found = world.look(operation)
    assert (found.state, found.step, found.attempt) == (State.UNDOING, "recipes.make_server", 1)
    world.failing.clear()
    world.drain()
    assert (world.state_of(operation), world.look(operation).error) == (State.FAILED, "no")


def test_each_end_is_reported_in_its_transaction(world: Things) -> None:
    ends: list[tuple[str, str]] = []
    runner = world.runner()
    runner.on_end = lambda _, operation, state: ends.append((operation.workflow, state))
    world.failing["make_server"] = Failed("no")
    world.begin("thing.create")
    world.begin("thing.delete")
    runner.run_until_idle()
    assert sorted(ends) == [
        ("thing.create", State.FAILED),
        ("thing.delete", State.SUCCEEDED),
    ]


def test_a_part_of_a_part_is_superseded_too(world: Things) -> None:
    """Even where the one between has ended."""
    nothing: Workflow[object] = Workflow("nothing", "", (step(lambda _: Wait(9)),))
    with world.database.begin() as session:
        whole = start(session, nothing, "a", clock=world.clock)
        part = start(session, nothing, "b", parent=whole, clock=world.clock)
        part.state = State.SUCCEEDED
        inner = start(session, WORKFLOWS["thing.create"], "c", parent=part, clock=world.clock)
    deletion = world.replace(whole.id, "thing.delete")
    assert world.state_of(part.id) == State.SUCCEEDED
    assert world.state_of(inner.id) == State.SUPERSEDED
    assert world.look(deletion).due_at == world.clock.time
