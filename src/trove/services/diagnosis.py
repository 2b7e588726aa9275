"""What an agent reports of its machine, for administrators."""

from __future__ import annotations

from trove.models.task import dispatch
from trove.protocol.tasks import Diagnose, Diagnosis, result_of
from trove.services import agents
from trove.services.changes import find, must_answer
from trove.services.installation import Caller, Installation


def diagnose(inst: Installation, caller: Caller, instance_id: str) -> Diagnosis:
    """The agent's answer; raises NotFound, NotReady, Unavailable.

    Waits for the agent for up to `agent_call_low_timeout`.
    """
    caller.must_be_admin()
    task = Diagnose()
    with inst.database.begin() as session:
        row = find(session, caller, instance_id)
        must_answer(inst, session, row)
        dispatched = dispatch(
            session,
            row.id,
            task.kind,
            request_id=caller.request_id,
            expires_at=agents.expiry_of(inst, session),
        )
    timeout = inst.settings.timing.agent_call_low_timeout
    answered = agents.await_answer(inst.database, dispatched.id, timeout)
    agents.raise_for(answered)
    return result_of(task, answered.result)
