"""Crash at every point, failure at every step, delete and cancel at every moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.things import Things
from trove.engine import ClaimRequest, Mode, Operation, State, holders_of, start, supersede
from trove.errors import Conflict, Failed
from trove.testing.world import act_at, crash_at

NewWorld = Callable[..., Things]

THING = ["server/{0}", "volume/{0}"]
STEPS = ("make_volume", "make_server", "await_up", "announce")
UNDOINGS = ("unmake_volume", "unmake_server")


def at_every_point(new_world: NewWorld, run: Callable[[Things, int], None]) -> int:
    """Run it once for each point that it passes, until one run passes none of its own."""
    for n in range(500):
        world = new_world()
        run(world, n)
        assert (world.active(), world.claimed()) == ([], []), world.trace
        assert world.inventory.collisions() == [], world.trace
        assert world.repeated_effects() == [], world.trace
        if n >= len(world.trace):
            return n
    raise AssertionError("no end of points")


def crash_at_every_point(new_world: NewWorld, run: Callable[[Things], None]) -> int:
    def run_and_die(world: Things, n: int) -> None:
        world.at = crash_at(n)
        run(world)

    return at_every_point(new_world, run_and_die)


def thing_of(world: Things, operation_id: str) -> list[str]:
    subject = world.look(operation_id).subject_id
    return [line.format(subject) for line in THING]


def test_creation_survives_a_crash_at_every_point(new_world: NewWorld) -> None:
    def run(world: Things) -> None:
        operation = world.begin("thing.create")
        world.drain()
        assert world.state_of(operation) == State.SUCCEEDED, world.trace
        assert world.inventory.everything() == thing_of(world, operation), world.trace

    assert crash_at_every_point(new_world, run) > 20


def test_deletion_survives_a_crash_at_every_point(new_world: NewWorld) -> None:
    def run(world: Things) -> None:
        operation = world.begin("thing.delete")
        subject = world.look(operation).subject_id
        for kind in ("server", "volume"):
            world.inventory._folder(kind).joinpath(f"{subject}.x").touch()
        world.drain()
        assert world.state_of(operation) == State.SUCCEEDED, world.trace
        assert world.inventory.everything() == [], world.trace

    assert crash_at_every_point(new_world, run) > 10


def test_turning_back_survives_a_crash_at_every_point(new_world: NewWorld) -> None:
    def run(world: Things) -> None:
        world.failing["announce"] = Failed("no")
        operation = world.begin("thing.create")
        world.drain()
        assert world.state_of(operation) == State.FAILED, world.trace
        found = world.look(operation)
        assert (found.error, found.turned_back_at) == ("no", "recipes.announce")
        assert world.inventory.everything() == [], world.trace

    assert crash_at_every_point(new_world, run) > 30


def test_a_fleet_survives_a_crash_at_every_point(quick_world: NewWorld) -> None:
    def run(world: Things) -> None:
        operation = world.begin("fleet.create", parts=2)
        world.drain()
        assert world.state_of(operation) == State.SUCCEEDED, world.trace
        assert len(world.inventory.everything()) == 5, world.trace

    assert crash_at_every_point(quick_world, run) > 40


def test_a_fleet_that_turns_back_survives_a_crash_at_every_point(quick_world: NewWorld) -> None:
    def run(world: Things) -> None:
        world.failing["announce"] = Failed("no")
        operation = world.begin("fleet.create", parts=1)
        world.drain()
        assert world.state_of(operation) == State.FAILED, world.trace
        assert world.inventory.everything() == [], world.trace

    assert crash_at_every_point(quick_world, run) > 40


def begin_pair(world: Things) -> str:
    """An operation on a subject of another kind, which claims what it works with."""
    return world.begin(
        "pair.connect", claims=[ClaimRequest("one"), ClaimRequest("two", Mode.SHARED)]
    )


def test_several_claims_survive_a_crash_at_every_point(new_world: NewWorld) -> None:
    def run(world: Things) -> None:
        operation = begin_pair(world)
        other = world.begin("thing.inspect", "two")
        world.drain()
        assert world.state_of(operation) == world.state_of(other) == State.SUCCEEDED
        found = world.look(operation)
        assert found.results == {"recipes.await_peer": {"name": "standby"}}

    assert crash_at_every_point(new_world, run) > 25


def test_several_claims_are_released_by_a_failure_at_every_step(new_world: NewWorld) -> None:
    for failing in ("make_volume", "await_peer", "switch_over", "announce"):
        world = new_world(failing={failing: Failed("no")})
        operation = begin_pair(world)
        world.drain()
        assert (world.state_of(operation), world.claimed()) == (State.FAILED, [])
        assert world.inventory.everything() == []


def test_a_removal_of_one_resource_at_every_moment_supersedes_its_holders(
    new_world: NewWorld,
) -> None:
    """What claims a resource of a superseded operation waits for its running step."""

    def run(world: Things, n: int) -> None:
        begun = begin_pair(world)
        removals: list[str] = []

        def remove() -> None:
            with world.database.begin() as session:
                for holder in holders_of(session, "one"):
                    supersede(session, holder.id, clock=world.clock)
                recipe = world.workflows["thing.delete"]
                removals.append(start(session, recipe, "one", clock=world.clock).id)
                gone = world.workflows["pair.delete"]
                subject = session.get_one(Operation, begun).subject_id
                removals.append(start(session, gone, subject, clock=world.clock).id)

        world.at = act_at(n, remove)
        world.drain()
        if removals:
            assert world.state_of(begun) in {State.SUPERSEDED, State.SUCCEEDED}
            assert {world.state_of(each) for each in removals} == {State.SUCCEEDED}
            assert world.inventory.everything() == [], world.trace

    assert at_every_point(new_world, run) > 15


@pytest.mark.parametrize("failing", STEPS)
def test_a_step_that_cannot_succeed_turns_back(new_world: NewWorld, failing: str) -> None:
    world = new_world(failing={failing: Failed(f"{failing}: the disk is on fire")})
    operation = world.begin("thing.create")
    world.drain()
    assert world.state_of(operation) == State.FAILED
    found = world.look(operation)
    assert found.error == f"{failing}: the disk is on fire"
    assert (found.step, found.turned_back_at) == ("recipes.make_volume", f"recipes.{failing}")
    assert world.inventory.everything() == []
    assert world.trace.count(failing) == 1


@pytest.mark.parametrize("failing", STEPS)
def test_a_step_that_always_fails_turns_back_after_its_attempts(
    new_world: NewWorld, failing: str
) -> None:
    world = new_world(failing={failing: OSError("no route")})
    operation = world.begin("thing.create")
    world.drain()
    assert world.state_of(operation) == State.FAILED
    assert world.look(operation).error == "OSError: no route"
    assert world.inventory.everything() == []
    tries = {"make_server": 3, "await_up": 6}  # the second until its patience is spent
    assert world.trace.count(failing) == tries.get(failing, 8)


@pytest.mark.parametrize("failing", STEPS)
def test_a_step_that_fails_for_a_while_is_done_in_the_end(
    new_world: NewWorld, failing: str
) -> None:
    world = new_world(failing={failing: OSError("no route")})
    operation = world.begin("thing.create")
    world.runner().run_until_idle()
    world.bring_up()
    world.runner().run_until_idle()
    assert world.look(operation).error == "OSError: no route"
    assert world.state_of(operation) == State.RUNNING
    world.failing.clear()
    world.clock.advance(61)
    world.drain()
    assert (world.state_of(operation), world.look(operation).error) == (State.SUCCEEDED, None)
    assert world.inventory.everything() == thing_of(world, operation)
    assert world.repeated_effects() == []


@pytest.mark.parametrize("failing", UNDOINGS)
@pytest.mark.parametrize("error", [Failed("held"), OSError("held")])
def test_what_cannot_be_undone_is_named_and_left_to_a_delete(
    new_world: NewWorld, failing: str, error: Exception
) -> None:
    world = new_world(failing={"announce": Failed("no"), failing: error})
    operation = world.begin("thing.create")
    world.drain()
    assert world.state_of(operation) == State.FAILED
    message = world.look(operation).error or ""
    assert message.startswith(f"no; besides, undoing recipes.{failing[2:]} failed: ")
    assert message.endswith("held")
    left = thing_of(world, operation)
    assert world.inventory.everything() == [name for name in left if failing[7:] in name]
    world.failing.clear()
    world.begin("thing.delete", world.look(operation).subject_id)
    world.drain()
    assert world.inventory.everything() == []


@pytest.mark.parametrize("failing", UNDOINGS)
def test_undoing_that_fails_for_a_while_is_done_in_the_end(
    new_world: NewWorld, failing: str
) -> None:
    world = new_world(failing={"announce": Failed("no"), failing: OSError("held")})
    operation = world.begin("thing.create")
    world.drain(rounds=3)
    assert world.state_of(operation) == State.UNDOING
    world.failing.clear()
    world.drain()
    assert (world.state_of(operation), world.look(operation).error) == (State.FAILED, "no")
    assert world.inventory.everything() == []


@pytest.mark.parametrize("killing", [*STEPS, *UNDOINGS])
def test_a_step_that_kills_its_process_ends(new_world: NewWorld, killing: str) -> None:
    world = new_world(failing={} if killing in STEPS else {"announce": Failed("no")})
    deadly = Deadly(world, killing)
    operation = world.begin("thing.create")
    for _ in range(40):
        deadly.drain_once()
    assert world.state_of(operation) == State.FAILED
    tried = 3 if "server" in killing else 8
    assert f"did not survive {tried} attempts" in (world.look(operation).error or "")
    assert world.trace.count(killing) == tried
    assert world.active() == []


class Deadly:
    """Dies whenever it comes to a certain point."""

    def __init__(self, world: Things, killing: str) -> None:
        self.world, self.killing = world, killing
        self.point, world.inventory.point = world.point, self._point
        world.point = self._point  # type: ignore[method-assign]

    def _point(self, name: str) -> None:
        self.world.at = crash_at(len(self.world.trace) if name == self.killing else -1)
        self.point(name)

    def drain_once(self) -> None:
        self.world.drain(rounds=1)


def test_deletion_at_every_moment_of_a_creation_leaves_nothing(new_world: NewWorld) -> None:
    def run(world: Things, n: int) -> None:
        begun = world.begin("thing.create")
        deletions: list[str] = []
        world.at = act_at(n, lambda: deletions.append(world.replace(begun, "thing.delete")))
        world.drain()
        if deletions:
            assert world.state_of(begun) in {State.SUPERSEDED, State.SUCCEEDED}, world.trace
            assert world.state_of(deletions[0]) == State.SUCCEEDED
            assert world.inventory.everything() == [], world.trace

    assert at_every_point(new_world, run) > 20


def test_deletion_at_every_moment_of_a_fleet_leaves_nothing(new_world: NewWorld) -> None:
    def run(world: Things, n: int) -> None:
        begun = world.begin("fleet.create", parts=1)
        deletions: list[str] = []

        def delete() -> None:
            deletions.append(world.replace(begun, "fleet.delete"))

        world.at = act_at(n, delete)
        world.drain()
        if deletions:
            assert world.state_of(deletions[0]) == State.SUCCEEDED
            assert world.inventory.everything() == [], world.trace

    assert at_every_point(new_world, run) > 25


def test_cancel_at_every_moment_of_a_creation(new_world: NewWorld) -> None:
    ends = set()

    def run(world: Things, n: int) -> None:
        operation = world.begin("thing.create")
        world.at = act_at(n, lambda: try_to_cancel(world, operation))
        world.drain()
        state = world.state_of(operation)
        ends.add(state)
        there = thing_of(world, operation) if state == State.SUCCEEDED else []
        assert world.inventory.everything() == there, world.trace

    assert at_every_point(new_world, run) > 20
    assert ends == {State.CANCELLED, State.SUCCEEDED}


def test_cancel_at_every_moment_of_turning_back(new_world: NewWorld) -> None:
    def run(world: Things, n: int) -> None:
        world.failing["announce"] = Failed("no")
        operation = world.begin("thing.create")
        world.at = act_at(n, lambda: try_to_cancel(world, operation))
        world.drain()
        assert world.state_of(operation) in {State.CANCELLED, State.FAILED}
        assert world.inventory.everything() == [], world.trace

    assert at_every_point(new_world, run) > 30


def test_cancel_at_every_moment_of_a_fleet_takes_every_part_back(new_world: NewWorld) -> None:
    def run(world: Things, n: int) -> None:
        operation = world.begin("fleet.create", parts=1)
        world.at = act_at(n, lambda: try_to_cancel(world, operation))
        world.drain()
        whole = 3 if world.state_of(operation) == State.SUCCEEDED else 0
        assert len(world.inventory.everything()) == whole, world.trace

    assert at_every_point(new_world, run) > 25


def try_to_cancel(world: Things, operation: str) -> None:
    try:
        world.cancel(operation)
    except Conflict:
        assert world.state_of(operation) != State.RUNNING
