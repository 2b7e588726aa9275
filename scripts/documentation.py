"""Writes the parts of the documentation that follow from the code; `--check` says what is stale."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from trove.engine import Step, Workflow
from trove.protocol.tasks import AgentTask, tasks
from trove.settings import Settings, reference
from trove.workflows import WORKFLOWS

DEFAULTS = Settings(state_directory=Path("/var/lib/trove"))

DOCS = Path(__file__).resolve().parents[1] / "docs"

INTRODUCTION = """\
# Workflows

<!-- Written by `make docs` from src/trove/workflows/; do not edit. -->

What the task manager can do, step by step. A step may run more than once and finds what it made
the last time; where a step has an undo, turning back runs it, in reverse order. The names stand in
the operations table, so a released one is never renamed.
"""


TASKS = """\
# Tasks

<!-- Written by `make docs` from src/trove/protocol/tasks.py; do not edit. -->

What an agent can do. Each task is one struct: its fields are the arguments, which are optional
where marked with `?`. The names are on the wire and in the agents' journals, so a released one is
never renamed.

| task | what it does | arguments | result | lane | retried for | event |
|---|---|---|---|---|---|---|
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing; fail when stale")
    check = options.parse_args().check
    stale = [path for path, text in _generated() if _brought_up_to_date(path, text, check)]
    for path in stale:
        print(
            f"{'stale, run `make docs`:' if check else 'written:'} {path.relative_to(DOCS.parent)}"
        )
    return 1 if check and stale else 0


def workflows() -> str:
    return INTRODUCTION + "".join(_chapter(w) for w in WORKFLOWS.values())


def all_tasks() -> str:
    return TASKS + "".join(_task(task) for task in tasks().values())


PAGES: dict[str, Callable[[], str]] = {
    "contributors/tasks.md": all_tasks,
    "contributors/workflows.md": workflows,
    "operators/settings.md": reference.page,
}


def _generated() -> Iterator[tuple[Path, str]]:
    for name, write in PAGES.items():
        yield DOCS / name, write()


def _brought_up_to_date(path: Path, text: str, check: bool) -> bool:
    """Whether the file did not say this."""
    if path.exists() and path.read_text() == text:
        return False
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return True


def _task(task: type[AgentTask[Any]]) -> str:
    event = f"`{task.event}`" if task.event else ""
    cells = (
        f"`{task.kind}`",
        _first_sentence(task),
        _fields(task),
        _fields(task.Result),
        task.lane,
        f"{task.patience:g} s",
        event,
    )
    return f"| {' | '.join(cells)} |\n"


def _first_sentence(task: type[AgentTask[Any]]) -> str:
    return (inspect.getdoc(task) or "").partition("\n\n")[0].partition(". ")[0].rstrip(".")


def _fields(kind: type[msgspec.Struct]) -> str:
    return ", ".join(
        f"`{field.encode_name}`{'' if field.required else '?'}"
        for field in msgspec.structs.fields(kind)
    )


def _chapter(workflow: Workflow[Any]) -> str:
    back = "" if workflow.reversible else " There is no way back: what fails is retried."
    shown = (
        f"Status meanwhile: `{workflow.status}`."
        if workflow.status
        else "Shows no status of its own."
    )
    rows = "\n".join(_row(n, s) for n, s in enumerate(workflow.steps, 1))
    return f"""
## {workflow.name}

{shown}{_claimed(workflow)}{back}

{_diagram(workflow)}
| | step | what it does | undone by | within |
|---|---|---|---|---|
{rows}
"""


def _claimed(workflow: Workflow[Any]) -> str:
    if workflow.subject is None:
        return ""
    blocked = f" and blocks changes of {', '.join(sorted(workflow.blocks))}"
    return (
        f" It claims its {workflow.subject.name} {workflow.claim}ly"
        f"{blocked if workflow.blocks else ''}."
    )


def _row(number: int, step: Step[Any]) -> str:
    undo = f"`{step.undo.__name__}`" if step.undo else ""
    seconds = step.seconds(DEFAULTS)
    limit = "" if seconds == float("inf") else f"{seconds:g} s"
    limit += " (a setting)" if callable(step.timeout) else ""
    return f"| {number} | `{step.name}` | {_summary(step)} | {undo} | {limit} |"


def _summary(step: Step[Any]) -> str:
    """The first sentence of a step's own words, else its name as words."""
    words = inspect.getdoc(step.run)
    if words:
        return words.partition("\n\n")[0].replace("\n", " ").rstrip(".").replace("|", "\\|")
    module, _, name = step.name.partition(".")
    return f"{name.replace('_', ' ')} ({module})"


def _diagram(workflow: Workflow[Any]) -> str:
    ids = [f"s{n}" for n in range(len(workflow.steps))]
    nodes = [f'    {i}["{s.name}"]' for i, s in zip(ids, workflow.steps, strict=True)]
    undone = [
        f'    {i} -. turn back .-> u{i}("{s.undo.__name__}")'
        for i, s in zip(ids, workflow.steps, strict=True)
        if s.undo and workflow.reversible
    ]
    if _is_periodic(workflow):
        chain = f"    {ids[0]} -- again after a while --> {ids[0]}"
    else:
        chain = "    " + " --> ".join([*ids, "done((done))"])
    return "\n".join(["```mermaid", "flowchart LR", *nodes, chain, *undone, "```", ""])


def _is_periodic(workflow: Workflow[Any]) -> bool:
    return [step.timeout for step in workflow.steps] == [float("inf")]


if __name__ == "__main__":
    sys.exit(main())
