"""Durable workflows. Knows nothing of databases as a service.

Read `workflow.py` (what a recipe is), then `operation.py` (the row that remembers), then
`runner.py` (the loop), then `control.py` (what others may do to a running operation).
"""

from trove.engine.control import (
    active_of,
    await_children,
    cancel,
    ensure_periodic,
    start,
    supersede,
    wake,
)
from trove.engine.operation import ACTIVE, ENDED, Operation, State
from trove.engine.pool import Pool
from trove.engine.runner import Runner
from trove.engine.workflow import Step, Wait, Workflow, final_step, step

__all__ = [
    "ACTIVE",
    "ENDED",
    "Operation",
    "Pool",
    "Runner",
    "State",
    "Step",
    "Wait",
    "Workflow",
    "active_of",
    "await_children",
    "cancel",
    "ensure_periodic",
    "final_step",
    "start",
    "step",
    "supersede",
    "wake",
]
