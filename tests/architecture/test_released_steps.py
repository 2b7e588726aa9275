"""Names of steps are stored in running operations: what was released once is never renamed."""

from __future__ import annotations

from pathlib import Path

from trove.workflows import WORKFLOWS

RELEASED = Path(__file__).with_name("released_steps.txt")


def test_every_released_step_is_still_there() -> None:
    """A line may be added with a new step; a line that has been released never goes."""
    released = {line for line in RELEASED.read_text().splitlines() if not line.startswith("#")}
    present = {f"{w.name}: {step.name}" for w in WORKFLOWS.values() for step in w.steps}
    assert released == present


def test_a_workflow_is_found_under_its_own_name_and_names_no_step_twice() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow.name == name
        assert len(workflow.index) == len(workflow.steps)
