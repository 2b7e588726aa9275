"""Steps that only some infrastructures need: in every recipe, but skipped by the others."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import Any

from trove.engine import StepResult, Wait
from trove.engine.workflow import Action, Step
from trove.providers.base import Capability
from trove.workflows.context import Context


def unless(capability: Capability, step: Step[Context[Any]]) -> Step[Context[Any]]:
    """The step and its undo, where the provider lacks this capability."""

    def undo(ctx: Context[Any]) -> Wait | None:
        lacks = capability not in ctx.provider.capabilities
        return step.undo(ctx) if step.undo and lacks else None

    return replace(step, run=_run_unless(capability, step.run), undo=undo)


def _run_unless(capability: Capability, run: Action[Context[Any]]) -> Action[Context[Any]]:
    # The name of a step is that of its function.
    @wraps(run)
    def chosen(ctx: Context[Any]) -> Wait | StepResult | None:
        return None if capability in ctx.provider.capabilities else run(ctx)

    return chosen
