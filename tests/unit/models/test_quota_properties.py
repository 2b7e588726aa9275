"""Any sequence of use that is taken and given back, compared with a dictionary of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trove.db import Database
from trove.errors import OverQuota
from trove.models.quota import (
    RESOURCES,
    UNLIMITED,
    Quota,
    give_back,
    limits_of,
    take,
    usage_of,
)
from trove.testing.world import fresh_database

few = settings(max_examples=30, deadline=None, derandomize=True)

projects = st.sampled_from(["red", "blue"])
limits = st.fixed_dictionaries({name: st.sampled_from([UNLIMITED, 0, 3, 10]) for name in RESOURCES})
deltas = st.dictionaries(st.sampled_from(RESOURCES), st.integers(0, 6), max_size=4)
moves = st.lists(st.tuples(projects, deltas, st.booleans()), max_size=14)


def excess_of(
    used: dict[str, int], wanted: dict[str, int], limits: dict[str, int]
) -> list[tuple[str, int, int, int]]:
    """(resource, requested, used, limit) of what there is too little of, in one order."""
    return [
        (resource, delta, used[resource], limits[resource])
        for resource, delta in sorted(wanted.items())
        if delta and limits[resource] != UNLIMITED and used[resource] + delta > limits[resource]
    ]


def taken(database: Database, project: str, wanted: dict[str, int], limits: dict[str, int]) -> str:
    """What was refused, or nothing."""
    try:
        with database.begin() as session:
            take(session, project, wanted, limits)
    except OverQuota as error:
        return str(error)
    return ""


@few
@given(limits, moves)
def test_use_is_the_sum_of_what_was_taken(
    limits: dict[str, int], moves: list[tuple[str, dict[str, int], bool]]
) -> None:
    used = {project: dict.fromkeys(RESOURCES, 0) for project in ("red", "blue")}
    given_out: list[tuple[str, dict[str, int]]] = []
    with fresh_database() as database:
        for project, wanted, gives_back in moves:
            if gives_back and given_out:
                owner, deltas = given_out.pop()
                with database.begin() as session:
                    give_back(session, owner, deltas)
                for resource, delta in deltas.items():
                    used[owner][resource] -= delta
            else:
                excess = excess_of(used[project], wanted, limits)
                refusal = taken(database, project, wanted, limits)
                if excess:
                    resource, requested, had, limit = excess[0]
                    words = f"{resource}: {requested} requested, {had} of {limit} in use"
                    assert words in refusal
                else:
                    assert not refusal
                    given_out.append((project, wanted))
                    for resource, delta in wanted.items():
                        used[project][resource] += delta
            with database.session() as session:
                assert {each: usage_of(session, each) for each in used} == used


@few
@given(limits, st.dictionaries(st.sampled_from(RESOURCES), st.sampled_from([UNLIMITED, 0, 7])))
def test_own_limits_replace_the_defaults_one_by_one(
    defaults: dict[str, int], own: dict[str, int]
) -> None:
    with fresh_database() as database:
        with database.begin() as session:
            for resource, limit in own.items():
                session.add(Quota(project_id="red", resource=resource, limit=limit))
        with database.session() as session:
            assert limits_of(session, "red", defaults) == {**defaults, **own}
            assert limits_of(session, "blue", defaults) == defaults


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize(("limit", "fits"), [(UNLIMITED, 1000), (0, 0), (1, 1), (7, 7)])
def test_a_limit_is_reached_and_not_passed(
    sqlite_database: Database, resource: str, limit: int, fits: int
) -> None:
    limits = dict.fromkeys(RESOURCES, 0) | {resource: limit}
    assert not taken(sqlite_database, "red", {resource: fits}, limits)
    one_more = taken(sqlite_database, "red", {resource: 1}, limits)
    assert bool(one_more) is (limit != UNLIMITED)
    with sqlite_database.session() as session:
        assert usage_of(session, "red")[resource] == fits + (limit == UNLIMITED)
