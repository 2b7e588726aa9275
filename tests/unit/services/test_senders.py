"""Whose credentials are, for many calls in one statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import agents as rig
from tests.support.agents import add_instance, dispatch_task
from tests.support.cost import statements_of
from trove.engine import ClaimRequest, Operation
from trove.engine.claims import acquire
from trove.errors import NotFound, Unauthenticated
from trove.models import Agent, Instance, Task
from trove.models.agent import digest_of
from trove.protocol import EngineState
from trove.services.installation import Installation
from trove.services.senders import Refusal, Sender, identify, senders_of
from trove.workflows import REMOVING


@pytest.fixture
def installation(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """On each of the three metadata databases."""
    made = rig.installation_in(tmp_path, database_url)
    yield made
    made.database.dispose()


def known(installation: Installation, credential: str, state: str | None = None) -> str:
    """The id of the instance whose agent has this credential."""
    instance_id = add_instance(installation)
    with installation.database.begin() as session:
        digest = digest_of(credential)
        session.add(Agent(instance_id=instance_id, credential_digest=digest, engine_state=state))
    return instance_id


def found(installation: Installation, *credentials: str) -> list[Sender | Refusal]:
    with installation.database.session() as session:
        return list(senders_of(session, credentials))


def test_each_credential_leads_to_its_own_instance(installation: Installation) -> None:
    first = known(installation, "first", EngineState.RUNNING)
    second = known(installation, "second")
    senders = found(installation, "second", "unknown", "first", "second")
    assert senders[0] == senders[3] == Sender(second, None, has_tasks=False)
    assert isinstance(senders[1], Unauthenticated)
    assert senders[2] == Sender(first, "running", has_tasks=False)
    assert found(installation) == []


def test_it_is_one_statement_for_any_number(installation: Installation) -> None:
    names = [f"agent {number}" for number in range(40)]
    ids = [known(installation, name) for name in names]
    senders: list[Sender | Refusal] = []
    seen = statements_of(installation.database, lambda: senders.extend(found(installation, *names)))
    assert [sender.instance_id for sender in senders if isinstance(sender, Sender)] == ids
    assert len(seen) == 1


def test_only_unanswered_tasks_of_its_own_count(installation: Installation) -> None:
    mine, other = known(installation, "mine"), known(installation, "other")
    dispatch_task(installation, other, "stop")
    assert found(installation, "mine") == [Sender(mine, None, has_tasks=False)]
    task_id = dispatch_task(installation, mine, "stop")
    assert found(installation, "mine") == [Sender(mine, None, has_tasks=True)]
    with installation.database.begin() as session:
        session.get_one(Task, task_id).answered = True
    assert found(installation, "mine") == [Sender(mine, None, has_tasks=False)]


def test_who_is_gone_is_refused_and_the_others_are_not(installation: Installation) -> None:
    deleted, leaving = known(installation, "deleted"), known(installation, "leaving")
    staying = known(installation, "staying")
    with installation.database.begin() as session:
        session.get_one(Instance, deleted).deleted_at = installation.clock.now(session)
        removal = Operation(workflow=min(REMOVING), subject_id=leaving, step="s")
        session.add(removal)
        session.flush()
        acquire(session, removal.id, [ClaimRequest(leaving)])
    gone, going, here = found(installation, "deleted", "leaving", "staying")
    assert isinstance(gone, NotFound)
    assert isinstance(going, NotFound)
    assert leaving in str(going)
    assert here == Sender(staying, None, has_tasks=False)


def test_one_is_identified_or_refused_with_an_error(installation: Installation) -> None:
    mine = known(installation, "mine")
    with installation.database.session() as session:
        assert identify(session, "mine") == mine
        with pytest.raises(Unauthenticated, match="not known"):
            identify(session, mine)
    with installation.database.begin() as session:
        session.get_one(Instance, mine).deleted_at = installation.clock.now(session)
    with installation.database.session() as session, pytest.raises(NotFound, match="stop for good"):
        identify(session, "mine")
