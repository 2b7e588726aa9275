"""Any sequence of claims and releases, compared with the rules as a dictionary has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from trove.db import Database
from trove.engine.claims import (
    Claim,
    ClaimedResource,
    ClaimRequest,
    Mode,
    acquire,
    in_order,
    release,
)
from trove.errors import ResourceBusy
from trove.testing.world import fresh_database

few = settings(max_examples=30, deadline=None, derandomize=True)

modes = st.sampled_from(list(Mode))
requests = st.builds(ClaimRequest, st.sampled_from("abcd"), modes)
wanted = st.lists(requests, min_size=1, max_size=4)
releases = st.sets(st.integers(0, 15), max_size=3)
moves = st.lists(st.one_of(wanted, releases), max_size=16)


@dataclass
class Model:
    """What each operation holds."""

    held: dict[str, dict[str, Mode]] = field(default_factory=dict)

    def acquire(self, operation: str, requests: list[ClaimRequest]) -> bool:
        merged: dict[str, Mode] = {}
        for request in requests:
            if merged.get(request.resource) is not Mode.EXCLUSIVE:
                merged[request.resource] = request.mode
        if not all(self._is_free(resource, mode) for resource, mode in merged.items()):
            return False
        self.held[operation] = merged
        return True

    def release(self, operations: list[str]) -> None:
        for operation in operations:
            self.held.pop(operation, None)

    def resources(self) -> dict[str, tuple[str | None, int]]:
        """The holder and the number of shared claims of each that is not free."""
        found: dict[str, tuple[str | None, int]] = {}
        for operation, claims in self.held.items():
            for resource, mode in claims.items():
                if mode is Mode.EXCLUSIVE:
                    found[resource] = (operation, 0)
                else:
                    found[resource] = (None, found.get(resource, (None, 0))[1] + 1)
        return found

    def _is_free(self, resource: str, mode: Mode) -> bool:
        others = [claims[resource] for claims in self.held.values() if resource in claims]
        return not others or (mode is Mode.SHARED and Mode.EXCLUSIVE not in others)


def try_to_acquire(database: Database, operation: str, requests: Iterable[ClaimRequest]) -> bool:
    try:
        with database.begin() as session:
            acquire(session, operation, requests)
    except ResourceBusy:
        return False
    return True


def resources_in(session: Session) -> dict[str, tuple[str | None, int]]:
    rows = session.scalars(select(ClaimedResource)).all()
    found = {row.resource: (row.holder, row.shared) for row in rows}
    return {resource: state for resource, state in found.items() if state != (None, 0)}


def claims_in(session: Session) -> dict[str, dict[str, Mode]]:
    """What each operation holds."""
    found: dict[str, dict[str, Mode]] = {}
    for claim in session.scalars(select(Claim).where(Claim.released.is_(False))):
        found.setdefault(claim.operation_id, {})[claim.resource] = Mode(claim.mode)
    return found


@few
@given(moves)
def test_claims_are_what_the_rules_say(moves: list[list[ClaimRequest] | set[int]]) -> None:
    model, begun = Model(), list[str]()
    with fresh_database() as database:
        for move in moves:
            if isinstance(move, set):
                ended = [begun[n] for n in sorted(move) if n < len(begun)]
                with database.begin() as session:
                    release(session, ended)
                model.release(ended)
            else:
                begun.append(f"operation-{len(begun)}")
                expected = model.acquire(begun[-1], move)
                assert try_to_acquire(database, begun[-1], move) is expected
            with database.session() as session:
                assert resources_in(session) == model.resources()
                assert claims_in(session) == model.held


@few
@given(moves)
def test_after_the_last_release_everything_is_free(
    moves: list[list[ClaimRequest] | set[int]],
) -> None:
    with fresh_database() as database:
        begun = [f"operation-{n}" for n in range(len(moves))]
        for operation, move in zip(begun, moves, strict=True):
            if isinstance(move, list):
                try_to_acquire(database, operation, move)
        for operation in begun:
            with database.begin() as session:
                release(session, [operation])
        with database.session() as session:
            assert (resources_in(session), claims_in(session)) == ({}, {})
        every = [ClaimRequest(resource) for resource in "abcd"]
        assert try_to_acquire(database, "the-next", every)


def test_claims_of_an_iterator_are_acquired(sqlite_database: Database) -> None:
    wanted = (ClaimRequest(resource) for resource in "ba")
    assert try_to_acquire(sqlite_database, "one", wanted)
    with sqlite_database.session() as session:
        assert sorted(resources_in(session)) == ["a", "b"]


@settings(derandomize=True, deadline=None)
@given(st.lists(requests, max_size=12))
def test_each_resource_is_claimed_once_in_one_order(wanted: list[ClaimRequest]) -> None:
    found = in_order(wanted)
    assert [each.resource for each in found] == sorted({each.resource for each in wanted})
    assert list(in_order(reversed(wanted))) == list(found)
    for each in found:
        modes = {request.mode for request in wanted if request.resource == each.resource}
        assert each.mode is (Mode.EXCLUSIVE if Mode.EXCLUSIVE in modes else Mode.SHARED)
