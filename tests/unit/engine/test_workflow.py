"""Recipes: names, ways back, and what may not be written."""

from __future__ import annotations

import math

import pytest

from trove.engine import Step, Wait, Workflow, final_step, step
from trove.engine.workflow import periodic


def first(_: None) -> None: ...


def second(_: None) -> None: ...


def test_a_step_is_named_after_its_module_and_function() -> None:
    assert Step(first).name == "test_workflow.first"


def test_decorators_with_and_without_options() -> None:
    plain, tuned = step(first), step(attempts=2, timeout=5)(first)
    assert (plain.attempts, plain.timeout, plain.final) == (8, 600.0, False)
    assert (tuned.attempts, tuned.timeout, tuned.final) == (2, 5, False)
    last, patient = final_step(first), final_step(timeout=5)(first)
    assert (last.final, last.timeout, patient.final, patient.timeout) == (True, 600.0, True, 5)


def test_the_undoing_stays_a_function() -> None:
    forward = step(first)
    assert forward.undone_by(second) is second
    assert forward.undo is second


def test_there_is_a_way_back_until_the_final_step_is_done() -> None:
    recipe: Workflow[None] = Workflow("w", "", (step(first), final_step(second)))
    assert [recipe.can_turn_back(at) for at in (0, 1, 2)] == [True, True, False]
    assert [recipe.can_be_cancelled(at) for at in (0, 1)] == [True, False]
    one_way: Workflow[None] = Workflow("w", "", (step(first),), reversible=False)
    assert not one_way.can_turn_back(0)


@pytest.mark.parametrize("steps", [(), (step(first), step(first))])
def test_steps_that_a_pointer_cannot_distinguish_are_refused(
    steps: tuple[Step[None], ...],
) -> None:
    with pytest.raises(ValueError, match="each once"):
        Workflow("w", "", steps)


def test_a_periodic_workflow_is_never_out_of_time() -> None:
    recipe: Workflow[None] = periodic("p", step(lambda _: Wait(5)))
    assert recipe.steps[0].timeout == math.inf
    assert not recipe.reversible
