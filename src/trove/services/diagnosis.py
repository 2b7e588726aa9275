"""What an agent says of its machine, for administrators."""

from __future__ import annotations

from typing import Any

from trove.models.task import dispatch
from trove.protocol import TaskKind
from trove.services import agents
from trove.services.changes import find, must_answer
from trove.services.installation import Caller, Installation


def ask(inst: Installation, caller: Caller, instance_id: str) -> dict[str, Any]:
    """{"hwinfo": {..}, "diagnostics": {..}}; raises NotFound, NotReady, Unavailable.

    Waits for the agent for up to `agent_call_low_timeout`.
    """
    caller.must_be_admin()
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        must_answer(inst, session, row)
        task_id = dispatch(session, row.id, TaskKind.DIAGNOSE, request_id=caller.request_id).id
    task = agents.await_answer(inst.database, task_id, inst.settings.timing.agent_call_low_timeout)
    agents.raise_for(task)
    return {"hwinfo": {}, "diagnostics": {}} | (task.result or {})
