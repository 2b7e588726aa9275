"""Guessing is slow."""

import threading

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.identity import PASSWORD, People, people_in, proof_of
from trove.db import Database
from trove.errors import RateLimited, Unauthenticated
from trove.models import LoginFailure
from trove.services import identity
from trove.services.identity import Identifier, PasswordProof, passwords, throttle
from trove.services.identity.passwords import is_right


def fail(people: People, name: str = "alice", source: str = "") -> None:
    with pytest.raises(Unauthenticated):
        identity.issue(people.installation, proof_of(name, "wrong password"), source=source)


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_after_some_failures_each_must_wait_longer(people: People, name: str) -> None:
    for _ in range(throttle.FREE_FAILURES):
        fail(people, name)
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        with pytest.raises(RateLimited) as refusal:
            identity.issue(people.installation, proof_of(name))
        assert refusal.value.retry_after == wait
        people.clock.advance(seconds=wait)
        fail(people, name)


def test_the_right_password_after_the_wait_clears_the_count(people: People) -> None:
    for _ in range(throttle.FREE_FAILURES):
        fail(people)
    people.clock.advance(seconds=1)
    assert people.issue("alice")
    with people.installation.database.session() as session:
        assert session.scalars(select(LoginFailure)).all() == []
    fail(people)
    assert people.issue("alice")


def test_others_are_not_slowed_down(people: People) -> None:
    for _ in range(throttle.FREE_FAILURES):
        fail(people, source="192.0.2.1")
    assert people.issue("bob")
    assert identity.issue(people.installation, proof_of("alice"), source="192.0.2.2")


def test_the_same_user_is_counted_by_name_and_by_id(people: People) -> None:
    for _ in range(throttle.FREE_FAILURES - 1):
        fail(people)
    with pytest.raises(Unauthenticated):
        identity.issue(
            people.installation, PasswordProof(Identifier(id=people.alice), "wrong password")
        )
    with pytest.raises(RateLimited):
        people.issue("alice")


def test_failures_are_forgotten(people: People) -> None:
    fail(people, "alice")
    people.clock.advance(hours=1, seconds=1)
    fail(people, "bob")
    with people.installation.database.session() as session:
        assert len(session.scalars(select(LoginFailure)).all()) == 1


class _Meeting:
    """A clock that lets all threads go on from the same moment."""

    def __init__(self, people: People, parties: int) -> None:
        self.people = people
        self.barrier = threading.Barrier(parties, timeout=30)

    def now(self, session: Session) -> object:
        self.barrier.wait()
        return self.people.clock.time


def test_two_first_failures_at_once_are_both_counted(database: Database) -> None:
    people = people_in(database)
    meeting = _Meeting(people, 2)
    object.__setattr__(people.installation, "clock", meeting)
    threads = [
        threading.Thread(target=throttle.failed, args=(people.installation, "subject"))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session() as session:
        assert session.get_one(LoginFailure, "subject").failures == 2


def test_a_row_that_another_process_inserts_first_is_counted_up(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = throttle._count
    raced: list[bool] = []

    def race(*args: object) -> None:
        if not raced:
            raced.append(True)
            count(*args)  # type: ignore[arg-type]
            raise IntegrityError("insert", {}, Exception("duplicate"))
        count(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(throttle, "_count", race)
    throttle.failed(people.installation, "subject")
    with people.installation.database.session() as session:
        assert session.get_one(LoginFailure, "subject").failures == 2


class CountingHasher:
    """Argon2's, which records with which parameters it verified."""

    def __init__(self) -> None:
        self.verified: list[Parameters] = []
        self.real = PasswordHasher()

    def verify(self, against: str, secret: str) -> bool:
        self.verified.append(extract_parameters(against))
        return self.real.verify(against, secret)


def test_an_unknown_user_takes_as_long_as_a_known_one(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login of an unknown name costs a hash of the same parameters, as every other."""
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    fail(people, "alice")
    fail(people, "nobody")
    known, unknown = hasher.verified
    assert known == unknown


def test_what_is_not_a_hash_fits_nothing() -> None:
    assert not is_right(PASSWORD, "not a hash")
