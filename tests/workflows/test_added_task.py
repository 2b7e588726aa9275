"""A further task is one struct, one handler and one step: all three of it are in this file."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import msgspec

from tests.support import slot
from tests.support.agents import add_instance, add_operation, conductor_in, invite
from tests.support.provider import spec_of
from tests.support.waiting import HANG, until
from trove.engine import Operation, Wait, Workflow, step
from trove.guestagent.agent import Agent
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest
from trove.guestagent.handlers import handles
from trove.models.instance import Instance, resource_name_of
from trove.protocol.tasks import AgentTask
from trove.providers.base import Provider
from trove.providers.fake import FakeWorld, provider_of
from trove.services.installation import Installation
from trove.workflows.context import Context, Environment
from trove.workflows.subjects import INSTANCE


class Counted(msgspec.Struct):
    """How many letters there are."""

    letters: int = 0


class CountLetters(AgentTask[Counted], frozen=True):
    """Count the letters of a text."""

    kind: ClassVar = "count_letters"
    Result: ClassVar = Counted

    text: str


@handles(CountLetters)
def count_letters(guest: Guest, task: CountLetters, attempt: Attempt) -> Counted:
    return Counted(len(task.text))


@step
def count(ctx: Context[Instance]) -> Wait | None:
    answer = ctx.request(ctx.subject, CountLetters("trove"))
    if isinstance(answer, Wait):
        return answer
    assert answer.letters == 5
    return None


def run_once(inst: Installation, provider: Provider, operation_id: str) -> Any:
    workflows = {"w": Workflow("w", subject=INSTANCE, status="", steps=(count,))}
    env = SimpleNamespace(
        provider=provider, vault=inst.vault, clock=inst.clock, workflows=workflows
    )
    with inst.database.begin() as session:
        operation = session.get_one(Operation, operation_id)
        return count.run(Context(session, operation, cast("Environment", env)))


def test_it_goes_through_a_conductor_and_an_agent(tmp_path: Path) -> None:
    places = {name: str(tmp_path / name) for name in ("data", "run", "config", "logs", "binaries")}
    places |= {"manager": "postgresql", "address": slot.address(72, 7)}
    spec = places | {"port": 5432, "memory": 256, "vcpus": 1}
    (tmp_path / "place.json").write_text(json.dumps(spec))
    with conductor_in(tmp_path, slot.address(72, 7)) as conductor:
        inst = conductor.installation
        instance_id = add_instance(inst)
        start = {"conductor_url": conductor.url, "token": invite(inst, instance_id)}
        (tmp_path / "agent.json").write_text(json.dumps(start))
        operation_id = add_operation(inst, instance_id)
        provider = provider_of(FakeWorld())
        provider.compute.ensure_server(spec_of(resource_name_of(instance_id)))
        assert isinstance(run_once(inst, provider, operation_id), Wait)
        agent = Agent(tmp_path)
        thread = threading.Thread(target=agent.run)
        thread.start()
        until(lambda: run_once(inst, provider, operation_id) is None)
        agent.stop()
        thread.join(HANG)
