"""Exclusive and shared claims, several at once, on each of the databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from trove.db import Database
from trove.engine.claims import Claim, ClaimedResource, ClaimRequest, Mode, acquire, release
from trove.errors import ResourceBusy

EXCLUSIVE, SHARED = Mode.EXCLUSIVE, Mode.SHARED


def claim(database: Database, operation: str, *wanted: tuple[str, Mode]) -> None:
    with database.begin() as session:
        acquire(session, operation, [ClaimRequest(*each) for each in wanted])


def end(database: Database, *operations: str) -> None:
    with database.begin() as session:
        release(session, operations)


def state_of(database: Database) -> dict[str, tuple[str | None, int]]:
    with database.session() as session:
        rows = session.scalars(select(ClaimedResource)).all()
        return {row.resource: (row.holder, row.shared) for row in rows}


@pytest.mark.parametrize("first", [EXCLUSIVE, SHARED])
@pytest.mark.parametrize("second", [EXCLUSIVE, SHARED])
def test_only_shared_claims_go_together(database: Database, first: Mode, second: Mode) -> None:
    claim(database, "a", ("r", first))
    if first is second is SHARED:
        claim(database, "b", ("r", second))
        assert state_of(database) == {"r": (None, 2)}
    else:
        with pytest.raises(ResourceBusy, match="r is in use"):
            claim(database, "b", ("r", second))
    end(database, "a", "b")
    assert state_of(database) == {"r": (None, 0)}
    claim(database, "c", ("r", EXCLUSIVE))
    assert state_of(database) == {"r": ("c", 0)}


def test_several_are_claimed_together_or_not_at_all(database: Database) -> None:
    claim(database, "a", ("m", SHARED))
    with pytest.raises(ResourceBusy, match="^m"):
        claim(database, "b", ("z", EXCLUSIVE), ("m", EXCLUSIVE), ("c", SHARED))
    held = {r: state for r, state in state_of(database).items() if state != (None, 0)}
    assert held == {"m": (None, 1)}
    with database.session() as session:
        assert session.scalars(select(Claim.operation_id)).all() == ["a"]


def test_a_resource_that_is_named_twice_is_claimed_once(database: Database) -> None:
    claim(database, "a", ("r", SHARED), ("r", EXCLUSIVE), ("r", SHARED))
    assert state_of(database) == {"r": ("a", 0)}


def test_a_release_is_done_once(database: Database) -> None:
    claim(database, "a", ("r", SHARED), ("s", EXCLUSIVE))
    claim(database, "b", ("r", SHARED))
    end(database, "a")
    end(database, "a")
    assert state_of(database) == {"r": (None, 1), "s": (None, 0)}
    with database.session() as session:
        left = select(Claim.operation_id, Claim.resource).where(Claim.released.is_(False))
        assert [tuple(row) for row in session.execute(left)] == [("b", "r")]


def test_what_one_transaction_claims_it_can_release(database: Database) -> None:
    with database.begin() as session:
        acquire(session, "a", [ClaimRequest("r")])
        release(session, ["a"])
        acquire(session, "b", [ClaimRequest("r", SHARED)])
    assert state_of(database) == {"r": (None, 1)}


def test_resources_are_claimed_in_one_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    take: Callable[[Session, str, ClaimRequest], bool] = acquire.__globals__["_take"]

    def recording(session: Session, operation_id: str, request: ClaimRequest) -> bool:
        taken = take(session, operation_id, request)
        if taken:
            order.append(request.resource)
        return taken

    monkeypatch.setitem(acquire.__globals__, "_take", recording)
    claim(database, "a", ("c", EXCLUSIVE), ("a", SHARED), ("b", EXCLUSIVE))
    assert order == ["a", "b", "c"]
