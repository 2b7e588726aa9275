"""Durable workflows. Knows nothing of databases as a service.

Read `workflow.py` (what a recipe is), then `operation.py` (the durable row) and `claims.py` (what
it may use), then `runner.py` (the loop), then `control.py` (what others may do to an operation).
"""

from trove.engine.claims import Claim, ClaimRequest, Mode
from trove.engine.control import (
    active_of,
    await_children,
    cancel,
    ensure_periodic,
    holders_of,
    start,
    supersede,
    wake,
)
from trove.engine.operation import ACTIVE, ENDED, Operation, State
from trove.engine.pool import Pool
from trove.engine.runner import Runner
from trove.engine.workflow import Kind, Step, StepResult, Wait, Workflow, final_step, step

__all__ = [
    "ACTIVE",
    "ENDED",
    "Claim",
    "ClaimRequest",
    "Kind",
    "Mode",
    "Operation",
    "Pool",
    "Runner",
    "State",
    "Step",
    "StepResult",
    "Wait",
    "Workflow",
    "active_of",
    "await_children",
    "cancel",
    "ensure_periodic",
    "final_step",
    "holders_of",
    "start",
    "step",
    "supersede",
    "wake",
]
