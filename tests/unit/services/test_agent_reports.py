"""Reports that are stored together, and the events of those that say something new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tests.support import agents as rig
from tests.support.agents import add_instance, agent_row
from tests.support.cost import statements_of
from trove.models import Agent
from trove.models.agent import digest_of
from trove.models.event import Event
from trove.protocol import Account, Accounts, EngineState, Report, SyncRequest
from trove.services import agent_reports
from trove.services.agent_reports import keep_report, keep_reports
from trove.services.installation import Installation
from trove.services.senders import Sender, senders_of
from trove.testing import ManualClock

Said = tuple[int, str, bool]
"""The number of an agent, the state of its engine, and whether it names its accounts."""


@pytest.fixture
def installation(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """On each of the three metadata databases."""
    made = rig.installation_in(tmp_path, database_url)
    yield made
    made.database.dispose()


def add_agents(installation: Installation, count: int) -> list[str]:
    """Ids of instances; each is its agent's credential as well."""
    ids = [add_instance(installation) for _ in range(count)]
    with installation.database.begin() as session:
        session.add_all(Agent(instance_id=i, credential_digest=digest_of(i)) for i in ids)
    return ids


def request_of(said: Said) -> SyncRequest:
    number, state, has_accounts = said
    accounts = Accounts([], [Account(f"user{number}")]) if has_accounts else None
    error = "no memory" if state == EngineState.FAILED else None
    report = Report(state, "15.2", 0.25 * number, 4.0, accounts, error, details={"load": number})
    return SyncRequest(report, agent_version=f"1.{number}")


def keep(installation: Installation, ids: Sequence[str], *said: Said) -> None:
    """All in one transaction."""
    with installation.database.begin() as session:
        senders = senders_of(session, [ids[number] for number, *_ in said])
        known = [sender for sender in senders if isinstance(sender, Sender)]
        reports = zip(known, map(request_of, said), strict=True)
        keep_reports(session, list(reports), installation.clock)


def events_of(installation: Installation) -> list[tuple[str, str | None, Any]]:
    with installation.database.session() as session:
        events = session.scalars(select(Event).order_by(Event.id))
        return [(event.kind, event.subject_id, event.payload) for event in events]


def test_each_agent_gets_its_own_values(installation: Installation) -> None:
    ids = add_agents(installation, 4)
    said = [(0, "running", True), (1, "stopped", False), (2, "running", False), (3, "new", True)]
    keep(installation, ids, *said)
    for number, state, has_accounts in said:
        row = agent_row(installation, ids[number])
        assert (row.engine_state, row.version) == (state, f"1.{number}")
        assert (row.volume_used, row.details["load"]) == (0.25 * number, number)
        users = [{"name": f"user{number}"}] if has_accounts else None
        assert row.accounts.get("users") == users
        with installation.database.session() as session:
            now = installation.clock.now(session)
        assert row.reported_at is not None
        assert timedelta(0) <= now - row.reported_at < timedelta(minutes=5)
    assert events_of(installation) == []


def test_those_that_say_nothing_new_share_a_statement(installation: Installation) -> None:
    ids = add_agents(installation, 6)
    said = [(number, "running", False) for number in range(6)]
    keep(installation, ids, *said)

    def updates(*said: Said) -> int:
        seen = statements_of(installation.database, lambda: keep(installation, ids, *said))
        return sum(statement.startswith("UPDATE") for statement, _ in seen)

    assert updates(*said) == 1
    # One that says something new costs what it did alone, and the others no more.
    assert updates(*said[:5], (5, "crashed", False)) == 1 + 3
    assert events_of(installation) == [("instance.engine.crashed", ids[5], {"before": "running"})]


def test_a_volume_that_becomes_full_among_others_is_an_event(installation: Installation) -> None:
    ids = add_agents(installation, 18)
    said = [(number, "running", False) for number in range(15)]
    keep(installation, ids, *said, (16, "running", False))
    expected = [("instance.volume.full", ids[16], {"used": 4.0, "total": 4.0})]
    assert events_of(installation) == expected
    keep(installation, ids, *said, (16, "running", True))
    assert events_of(installation) == expected
    assert {agent_row(installation, i).volume_total for i in (ids[0], ids[14], ids[16])} == {4.0}


def test_two_reports_of_one_agent_are_stored_in_their_order(installation: Installation) -> None:
    ids = add_agents(installation, 2)
    keep(installation, ids, (0, "running", False), (1, "running", False))
    keep(
        installation,
        ids,
        (0, "crashed", False),
        (1, "running", False),
        (0, "running", True),
    )
    assert agent_row(installation, ids[0]).engine_state == "running"
    assert agent_row(installation, ids[0]).accounts["users"] == [{"name": "user0"}]
    assert events_of(installation) == [
        ("instance.engine.crashed", ids[0], {"before": "running"}),
        ("instance.engine.running", ids[0], {"before": "crashed"}),
    ]


def test_what_another_conductor_stored_meanwhile_is_noticed(installation: Installation) -> None:
    ids = add_agents(installation, 3)
    keep(installation, ids, *((number, "running", False) for number in range(3)))
    with installation.database.session() as session:
        senders = senders_of(session, ids)
    # Between this one's look and its UPDATE:
    with installation.database.begin() as session:
        session.execute(
            update(Agent).where(Agent.instance_id == ids[1]).values(engine_state="failed")
        )
    with installation.database.begin() as session:
        known = [sender for sender in senders if isinstance(sender, Sender)]
        requests = [request_of((number, "running", True)) for number in range(3)]
        keep_reports(session, zip(known, requests, strict=True), installation.clock)
    assert events_of(installation) == [("instance.engine.running", ids[1], {"before": "failed"})]
    for number in range(3):
        row = agent_row(installation, ids[number])
        assert (row.engine_state, row.accounts["users"][0]["name"]) == ("running", f"user{number}")


def test_the_time_is_the_clocks(tmp_path: Path) -> None:
    installation = rig.installation_in(tmp_path)
    try:
        ids = add_agents(installation, 2)
        clock = ManualClock()
        with installation.database.begin() as session:
            senders = [s for s in senders_of(session, ids) if isinstance(s, Sender)]
            keep_reports(session, [(s, SyncRequest(Report())) for s in senders], clock)
            now = clock.now(session)
        assert [agent_row(installation, each).reported_at for each in ids] == [now, now]
    finally:
        installation.database.dispose()


def test_statements_are_built_once() -> None:
    columns = frozenset({"engine_state", "version"})
    first = agent_reports._update(columns, is_steady=True)
    assert agent_reports._update(frozenset(set(columns)), is_steady=True) is first
    assert agent_reports._update(columns, is_steady=False) is not first


SAID = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["new", "starting", "running", "crashed", "failed", "odd"]),
    st.booleans(),
)


def outcome(installation: Installation, ids: Sequence[str]) -> tuple[Any, ...]:
    """What is in the database, with numbers in place of ids."""
    number = {instance_id: at for at, instance_id in enumerate(ids)}
    rows = [agent_row(installation, each) for each in ids]
    kept = [
        (row.engine_state, row.version, row.volume_used, row.error, row.details, row.accounts)
        for row in rows
    ]
    events = [(kind, number[str(of)], payload) for kind, of, payload in events_of(installation)]
    return kept, sorted(events, key=lambda event: event[1])  # in order for each agent


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.lists(SAID, min_size=1, max_size=6), max_size=4))
def test_together_leaves_what_one_by_one_leaves(batches: list[list[Said]]) -> None:
    with TemporaryDirectory() as directory:
        installation = rig.installation_in(Path(directory))
        try:
            together, alone = add_agents(installation, 3), add_agents(installation, 3)
            for batch in batches:
                keep(installation, together, *batch)
            of_together = outcome(installation, together) if batches else None
            with installation.database.begin() as session:
                session.query(Event).delete()
            for said in (each for batch in batches for each in batch):
                with installation.database.begin() as session:
                    keep_report(session, alone[said[0]], request_of(said), installation.clock)
            assert of_together in (None, outcome(installation, alone))
        finally:
            installation.database.dispose()
