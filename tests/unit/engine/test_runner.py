"""One step at a time: wake-ups, deadlines, progress, lost leases, errors of the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.support.recipes import WORKFLOWS
from tests.support.things import Context, Effect, Things
from trove.db import EPOCH, Database
from trove.engine import Operation, Runner, State, StepResult, Wait, Workflow, lease, start, step
from trove.engine.lease import Lease
from trove.engine.runner import StepDone
from trove.errors import Failed
from trove.testing.world import LEASE, Metadata, act_at


def recipe_of(
    action: Callable[[Context], Wait | None], attempts: int = 8, timeout: float = 600.0
) -> Workflow[Context]:
    return Workflow("made.up", "BUILD", (step(attempts=attempts, timeout=timeout)(action),))


def with_recipe(world: Things, recipe: Workflow[Context]) -> str:
    world.workflows = {**WORKFLOWS, recipe.name: recipe}
    return world.begin(recipe.name)


def test_steps_that_need_no_waiting_follow_at_once(world: Things) -> None:
    world.workflows = WORKFLOWS
    operation = world.begin("thing.create")
    assert world.runner().run_once()
    found = world.look(operation)
    assert (found.step, found.progress, found.note) == ("recipes.await_up", 62, "the server starts")
    assert (found.lease_token, found.lease_until) == (None, EPOCH)
    assert found.due_at == world.clock.time + timedelta(seconds=30)
    assert not world.runner().run_once()
    world.bring_up()
    assert world.runner().run_once()
    assert (world.look(operation).progress, world.look(operation).note) == (100, None)


def test_a_wake_up_during_the_step_that_waits_is_kept(world: Things) -> None:
    operation = world.begin("thing.create")
    world.at = act_at(16, lambda: world.wake(operation))
    world.runner().run_once()
    assert world.trace[14:17] == ["leased", "await_up", "before commit"]
    assert world.look(operation).due_at == world.clock.time


def test_two_runners_do_not_take_the_same_row(world: Things) -> None:
    world.begin("thing.create")
    first, second = world.runner(), world.runner()
    assert first.leases.take()
    assert second.leases.take() is None
    world.clock.advance(LEASE.total_seconds())
    assert second.leases.take()


def test_the_one_that_comes_second_to_a_row_takes_the_next(
    world: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where locked rows cannot be skipped: the guard decides, not the lock."""
    monkeypatch.setattr(Database, "skips_locked", False)
    operations = [world.begin("thing.create") for _ in range(2)]
    first, second = world.runner(), world.runner()
    seen = select(Operation.id, Operation.wakeups).where(Operation.due_at <= bindparam("now"))
    monkeypatch.setattr(lease, "SOME_DUE", seen.order_by(Operation.due_at))
    taken = {claim.operation_id for claim in (first.leases.take(), second.leases.take()) if claim}
    assert taken == set(operations)
    assert second.leases.take() is None


@pytest.mark.parametrize("moment", [4, 5, 6])
def test_a_slow_step_whose_lease_ran_out_keeps_nothing(world: Things, moment: int) -> None:
    """Two runners do the same step; the second's result stands, and only that."""
    operation = world.begin("thing.create")

    def another_takes_over() -> None:
        world.clock.advance(LEASE.total_seconds() + 1)
        world.runner().run_once()

    world.at = act_at(moment, another_takes_over)
    world.runner().run_once()
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED
    assert world.repeated_effects() == []
    assert len(world.inventory.everything()) == 2


def test_a_lease_that_is_renewed_does_not_run_out(world: Things) -> None:
    operation = world.begin("thing.create")
    runner = world.runner()
    claim = runner.leases.take()
    assert claim
    world.clock.advance(15)
    runner.renew()
    assert world.look(operation).lease_until == world.clock.time + LEASE
    runner.leases.drop(claim)
    world.clock.advance(15)
    runner.renew()
    assert world.look(operation).lease_until == world.clock.time + timedelta(seconds=5)


def test_no_step_begins_with_a_lease_that_may_end_during_it(world: Things) -> None:
    """The process, or the commit of its lease, stood still: the row is free for others already."""
    operation = world.begin("thing.create")
    runner = world.runner()
    lease = runner.leases.take()
    assert lease
    world.clock.advance(LEASE.total_seconds() + 1)
    seen: list[bool] = []

    def another_looks() -> None:
        assert world.look(operation).lease_until == lease.until == world.clock.time + LEASE
        seen.append(world.runner().run_once())

    world.at = act_at(len(world.trace) + 1, another_looks)
    runner.advance(lease)
    assert seen == [False]
    assert "make_volume" in world.trace
    assert world.repeated_effects() == []


def test_a_lease_that_another_has_taken_is_not_extended(world: Things) -> None:
    operation = world.begin("thing.create")
    runner = world.runner()
    late = runner.leases.take()
    assert late
    world.clock.advance(LEASE.total_seconds())
    assert world.runner().leases.take()
    until = late.until
    runner.leases.extend(late)
    assert late.until == until
    runner.advance(late)
    assert world.trace == ["leased"]
    assert world.look(operation).lease_until == world.clock.time + LEASE


def test_one_taken_between_look_and_extension_is_lost(world: Things) -> None:
    world.begin("thing.create")
    runner = world.runner()
    late = runner.leases.take()
    assert late
    world.clock.advance(LEASE.total_seconds())
    extend = runner.leases.extend

    def too_late(lease: Lease) -> None:
        assert world.runner().leases.take()
        extend(lease)

    runner.leases.extend = too_late  # type: ignore[method-assign]
    runner.advance(late)
    assert "make_volume" not in world.trace


@pytest.mark.parametrize("way", ["replaced", "turned back"])
def test_one_that_ran_out_ends_no_step_of_the_next(world: Things, way: str) -> None:
    """Its row is waited for until the step of the runner that took it is over."""
    operation = world.begin("thing.create")
    first, second = world.runner(), world.runner()
    late = first.leases.take()
    world.clock.advance(LEASE.total_seconds() + 1)
    current = second.leases.take()
    assert late
    assert current
    if way == "replaced":
        operation = world.replace(operation, "thing.delete")
    else:
        world.cancel(operation)
    due = world.look(operation).due_at
    assert due == current.until
    first.leases.end_lost(late)
    first.renew()
    assert world.look(operation).due_at == due
    assert not world.runner().run_once()
    second.leases.end_lost(current)
    assert world.look(operation).due_at == world.clock.time


def test_the_end_of_one_that_was_given_back_changes_nothing(world: Things) -> None:
    """As after a commit whose answer was lost: the step is over, and its row is free."""
    operation = world.begin("thing.create")
    runner = world.runner()
    lease = runner.leases.take()
    assert lease
    assert runner.leases.give_back(lease, seconds=7)
    due = world.look(operation).due_at
    runner.leases.end_lost(lease)
    assert not runner.leases.give_back(lease)
    assert world.look(operation).due_at == due == world.clock.time + timedelta(seconds=7)
    assert not world.runner().run_once()


def test_what_replaces_a_long_step_waits_for_its_end(world: Things) -> None:
    begun = world.begin("thing.create")
    runner = world.runner()
    claim = runner.leases.take()
    assert claim
    deletion = world.replace(begun, "thing.delete")
    for _ in range(5):
        world.clock.advance(15)
        runner.renew()
        assert not world.runner().run_once()
    assert world.look(deletion).due_at == world.clock.time + LEASE
    runner.leases.end_lost(claim)
    assert world.look(deletion).due_at == world.clock.time
    world.runner().run_once()
    assert world.state_of(deletion) == State.SUCCEEDED


def test_what_turns_back_a_long_step_waits_for_its_end(world: Things) -> None:
    operation = world.begin("thing.create")
    runner = world.runner()
    claim = runner.leases.take()
    assert claim
    world.cancel(operation)
    world.clock.advance(15)
    runner.renew()
    world.clock.advance(15)
    assert not world.runner().run_once()
    runner.leases.end_lost(claim)
    assert world.runner().run_once()
    assert world.state_of(operation) == State.CANCELLED


def test_what_replaces_a_whole_waits_for_every_part_in_flight(world: Things) -> None:
    fleet = world.begin("fleet.create", parts=2)
    world.runner().run_once()
    runner = world.runner()
    claims = [runner.leases.take(), runner.leases.take()]
    deletion = world.replace(fleet, "fleet.delete")
    world.clock.advance(5)
    runner.renew()
    held = world.clock.time + LEASE
    for claim in claims:
        assert claim
        assert world.look(deletion).due_at == held
        runner.leases.end_lost(claim)
    assert world.look(deletion).due_at == world.clock.time


def test_renewing_leaves_alone_what_waits_or_was_taken_over(world: Things) -> None:
    operation = world.begin("thing.create")
    runner = world.runner()
    claim = runner.leases.take()
    assert claim
    world.clock.advance(LEASE.total_seconds())
    other = world.runner().leases.take()
    assert other
    runner.renew()
    runner.leases.end_lost(claim)
    assert world.look(operation).lease_token == other.token
    assert not runner.leases.give_back(claim)


def test_a_part_that_is_superseded_alone_lets_its_own_successor_go(world: Things) -> None:
    world.begin("fleet.create", parts=1)
    world.runner().run_once()
    runner = world.runner()
    claim = runner.leases.take()
    assert claim
    deletion = world.replace(claim.operation_id, "thing.delete")
    runner.leases.end_lost(claim)
    assert world.look(deletion).due_at == world.clock.time


@pytest.mark.parametrize("seconds", [5, 3600])
def test_a_step_that_waits_too_long_turns_back_in_time(world: Things, seconds: float) -> None:
    def never(ctx: Context) -> Wait:
        return Wait(seconds, "the moon to rise")

    operation = with_recipe(world, recipe_of(never, timeout=60))
    for _ in range(30):
        world.runner().run_until_idle()
        due = world.look(operation).due_at
        if due is None:
            break
        world.clock.time = due
    found = world.look(operation)
    assert found.error == "test_runner.never did not finish within 60 seconds (the moon to rise)"
    assert found.state == State.FAILED
    assert timedelta(seconds=60) < found.updated_at - found.created_at < timedelta(seconds=66)


def test_patience_ends_also_while_a_step_is_retried(world: Things) -> None:
    def failing(ctx: Context) -> None:
        raise OSError("no route")

    operation = with_recipe(world, recipe_of(failing, timeout=20, attempts=99))
    for _ in range(4):
        world.runner().run_until_idle()
        world.clock.advance(9)
    assert world.state_of(operation) == State.FAILED
    assert world.look(operation).attempt < 5


def test_undoing_that_waits_forever_ends(world: Things) -> None:
    recipe = recipe_of(lambda ctx: (_ for _ in ()).throw(Failed("no")), timeout=60)
    recipe.steps[0].undone_by(lambda ctx: Wait(30))
    operation = with_recipe(world, recipe)
    for _ in range(4):
        world.runner().run_until_idle()
        world.clock.advance(31)
    found = world.look(operation)
    assert found.state == State.FAILED
    assert (found.error or "").startswith(
        "no; besides, undoing test_runner.<lambda> failed: undoing"
    )


def test_without_a_way_back_it_is_retried_without_end(
    world: Things, caplog: pytest.LogCaptureFixture
) -> None:
    world.failing["remove_server"] = Failed("held")
    operation = world.begin("thing.delete")
    world.drain(rounds=20)
    assert world.state_of(operation) == State.RUNNING
    assert world.look(operation).error == "held"
    assert "ALARM" in caplog.text
    world.failing.clear()
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED


@pytest.mark.parametrize("renamed", ["workflow", "step"])
def test_code_that_is_not_here_is_waited_for(world: Things, renamed: str) -> None:
    operation = world.begin("thing.create")
    with world.database.begin() as session:
        session.execute(update(Operation).values({renamed: "of.tomorrow"}))
    world.runner().run_until_idle()
    found = world.look(operation)
    assert (found.state, found.attempt) == (State.RUNNING, 0)
    assert "no code here for" in (found.note or "")
    assert found.due_at == world.clock.time + timedelta(seconds=30)


def test_progress_is_never_beyond_the_step(world: Things) -> None:
    operation = with_recipe(world, recipe_of(lambda ctx: Wait(1, progress=7.0)))
    world.runner().run_once()
    assert world.look(operation).progress == 100


class Counted(StepResult, frozen=True):
    """How often the step has run."""

    runs: int


def test_a_step_that_waits_hands_on_what_it_has_done(world: Things) -> None:
    operation = with_recipe(world, recipe_of(lambda ctx: next(outcomes)))
    outcomes = iter([Wait(0, result=Counted(1)), Wait(0), Wait(0, result=Counted(2)), None])
    kept = []
    while world.runner().run_once():
        kept.append(world.look(operation).results)
    name = "test_runner.<lambda>"
    assert kept == [{name: {"runs": 1}}, {name: {"runs": 1}}, {name: {"runs": 2}}, kept[2]]
    assert world.state_of(operation) == State.SUCCEEDED


def test_an_observer_learns_the_outcome_of_each_step(world: Things) -> None:
    seen: list[StepDone] = []
    runner = world.runner()
    runner.observe = seen.append
    world.failing["make_server"] = OSError("no route")
    world.begin("thing.create")
    runner.run_until_idle()
    world.failing.clear()
    world.clock.advance(5)
    runner.run_until_idle()
    assert [(done.step.partition(".")[2], done.outcome) for done in seen] == [
        ("make_volume", "done"),
        ("make_server", "failed"),
        ("make_server", "done"),
        ("await_up", "waiting"),
    ]
    assert all(done.seconds > 0 for done in seen)


def test_effects_that_the_database_refuses_are_a_failure_of_the_step(world: Things) -> None:
    with world.database.begin() as session:
        session.add(Effect(id=1, operation_id="another", step="taken"))

    def clash(ctx: Context) -> None:
        ctx.session.add(Effect(id=1, operation_id=ctx.operation.id, step="clash"))

    operation = with_recipe(world, recipe_of(clash, attempts=2))
    world.runner().run_until_idle()
    assert world.state_of(operation) == State.RUNNING
    world.clock.advance(10)
    world.runner().run_until_idle()
    found = world.look(operation)
    assert found.state == State.FAILED
    assert found.error == "the metadata database refused the result (IntegrityError)"


def test_a_statement_that_fails_in_a_step_does_not_spoil_the_operation(world: Things) -> None:
    def careless(ctx: Context) -> None:
        if ctx.operation.attempt < 2:
            ctx.session.execute(text("SELECT * FROM nowhere"))

    operation = with_recipe(world, recipe_of(careless))
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED


def test_a_connection_that_breaks_at_commit_gives_the_step_back(
    world: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = world.begin("thing.create")
    broken = OperationalError("COMMIT", None, Exception("gone"), connection_invalidated=True)
    fail_once(monkeypatch, broken)
    world.runner().run_once()
    found = world.look(operation)
    assert (found.lease_token, found.step) == (None, "recipes.make_volume")
    assert found.due_at == world.clock.time + timedelta(seconds=1)
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED
    assert world.repeated_effects() == []


def test_a_deadlock_at_commit_is_tried_again(
    world: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = world.begin("thing.create")
    fail_once(monkeypatch, OperationalError("COMMIT", None, Exception("deadlock")))
    world.runner().run_once()
    assert world.state_of(operation) == State.RUNNING
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED
    assert world.repeated_effects() == []


def test_a_lease_that_cannot_be_released_must_expire(
    world: Things, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    operation = world.begin("thing.create")
    broken = OperationalError("COMMIT", None, Exception("gone"), connection_invalidated=True)
    runner = world.runner()

    def refuse(*_: object, **__: object) -> bool:
        raise broken

    with monkeypatch.context() as patch:
        fail_once(patch, broken)
        patch.setattr(runner.leases, "give_back", refuse)
        assert runner.run_once()
    assert "must expire" in caplog.text
    assert not world.runner().run_once()
    world.clock.advance(LEASE.total_seconds())
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED


def test_superseded_while_the_database_refuses_the_result(world: Things) -> None:
    operation = world.begin("thing.create")
    runner = world.runner()
    deletions: list[str] = []

    def refuse(*_: object) -> None:
        deletions.append(world.replace(operation, "thing.delete"))
        raise OperationalError("COMMIT", None, Exception("gone"), connection_invalidated=True)

    runner._commit = refuse  # type: ignore[assignment]
    assert runner.run_once()
    assert world.look(deletions[0]).due_at == world.clock.time
    world.drain()
    assert world.inventory.everything() == []


def test_a_runner_that_is_to_stop_gives_the_operation_to_others(world: Things) -> None:
    operation = world.begin("thing.create")
    world.runner().run_once(lambda: False)
    found = world.look(operation)
    assert (found.step, found.attempt) == ("recipes.make_server", 0)
    assert (found.lease_token, found.due_at) == (None, world.clock.time)
    world.drain()
    assert world.state_of(operation) == State.SUCCEEDED


def test_an_error_without_words_is_named(world: Things) -> None:
    world.failing["make_volume"] = KeyError()
    operation = world.begin("thing.create")
    world.drain()
    assert world.look(operation).error == "KeyError: "


def test_by_default_the_clock_is_the_databases(database: Database, tmp_path: Path) -> None:
    world = Things(Metadata(database), tmp_path / "cloud", WORKFLOWS)
    runner = Runner(
        database, WORKFLOWS, lambda session, operation: Context(session, operation, world)
    )
    with database.begin() as session:
        operation = start(session, WORKFLOWS["thing.create"], "s").id
    runner.run_until_idle()
    runner.renew()
    found = world.look(operation)
    assert found.step == "recipes.await_up"
    assert found.due_at is not None
    # The test's own clock is years away; a busy machine may stand still for a while.
    assert timedelta(seconds=29) < found.due_at - found.created_at < timedelta(days=1)


def fail_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The next commit of a step's effects fails, after they were written."""
    commit = Session.commit
    failed: list[bool] = []

    def flaky(session: Session) -> None:
        effects = [row for row in session.new if isinstance(row, Effect)]
        if effects and not failed:
            failed.append(True)
            session.flush()
            session.rollback()
            raise error
        commit(session)

    monkeypatch.setattr(Session, "commit", flaky)
