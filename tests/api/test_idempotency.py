"""`Idempotency-Key`: once is once, whatever happens meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from trove.api import once
from trove.errors import Conflict
from trove.models import IdempotentRequest, Instance
from trove.services import idempotency
from trove.services.idempotency import CUT_OFF, KEPT, Attempt, Kept, claim, forget, keep, once_only
from trove.testing.world.api import World

BODY = {"instance": {"name": "db", "flavorRef": "2", "volume": {"size": 1}}}


def order(world: World, key: str, body: Any = BODY, **more: Any) -> Any:
    return world.request("POST", "/instances", body, headers={"Idempotency-Key": key}, **more)


def instances(world: World) -> int:
    with world.database.session() as session:
        return len(session.scalars(select(Instance.id)).all())


def age(world: World, by: timedelta) -> None:
    with world.database.begin() as session:
        session.execute(
            update(IdempotentRequest).values(created_at=world.installation.clock.now(session) - by)
        )


def test_the_same_request_is_done_once_and_answered_alike(world: World) -> None:
    first, again = order(world, "k"), order(world, "k")
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert instances(world) == 1
    assert order(world, "k", who="blue").json()["instance"]["id"] not in first.text
    assert order(world, "other").content != first.content
    assert instances(world) == 3


def test_another_request_under_the_key_is_refused(world: World) -> None:
    order(world, "k")
    other = {"instance": BODY["instance"] | {"name": "other"}}
    answer = order(world, "k", other)
    assert (answer.status_code, "Idempotency-Key" in answer.text) == (422, True)
    assert instances(world) == 1


def test_a_request_that_failed_frees_its_key(world: World) -> None:
    bad = {"instance": BODY["instance"] | {"flavorRef": "none"}}
    assert order(world, "k", bad).status_code == 400
    assert order(world, "k").status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_kept_is_refused(world: World, key: str) -> None:
    answer = order(world, key)
    assert (answer.status_code, "Idempotency-Key" in answer.text) == (400, True)


def test_too_large_a_body_is_refused(world: World) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 65536

    headers = {"Idempotency-Key": "k"}
    answer = world.request("POST", "/instances", content=chunks(), headers=headers)
    assert answer.status_code == 413


def test_many_at_once_make_one(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: order(world, "k"), range(8)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 409} and 200 in codes
    assert instances(world) == 1


def test_a_request_that_was_cut_off_blocks_its_key_for_a_minute_only(world: World) -> None:
    request = once_only("p", "k", b"body")
    turn = claim(world.installation, request)
    assert isinstance(turn, Attempt)
    with pytest.raises(Conflict):
        claim(world.installation, request)
    age(world, CUT_OFF + timedelta(seconds=1))
    assert claim(world.installation, request) == turn
    with pytest.raises(Conflict):
        claim(world.installation, request)


def test_a_key_that_is_freed_just_now_is_still_being_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the refused INSERT and the look at the row, the first request may fail."""
    request = once_only("p", "k", b"body")
    claim(world.installation, request)

    looking = idempotency._claimed_before

    def freed_meanwhile(*args: Any) -> Any:
        forget(*args)
        return looking(*args)

    monkeypatch.setattr(idempotency, "_claimed_before", freed_meanwhile)
    with pytest.raises(Conflict):
        claim(world.installation, request)


def test_an_order_that_was_cut_off_is_found_not_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service dies between the order's commit and the keeping of its answer."""

    def die(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(once, "keep", die)
        assert order(world, "k").status_code == 500
    assert instances(world) == 1
    assert order(world, "k").status_code == 409
    age(world, CUT_OFF + timedelta(seconds=1))
    found = order(world, "k").json()["instance"]["id"]
    assert instances(world) == 1
    assert world.get(f"/instances/{found}")["instance"]["name"] == "db"
    assert order(world, "k").json()["instance"]["id"] == found
    assert len(world.get("/operations")["operations"]) == 1
    age(world, KEPT + timedelta(seconds=1))
    assert order(world, "k").json()["instance"]["id"] != found


def test_another_user_of_the_project_does_not_get_the_response(world: World) -> None:
    """The response may contain a password, and policy has not been checked for that user."""
    path, headers = f"/instances/{world.built()}/root", {"Idempotency-Key": "k"}
    first = world.request("POST", path, {}, headers=headers)
    assert first.status_code == 200, first.text
    other = world.request("POST", path, {}, headers=headers, who="red-reader")
    assert other.status_code == 422
    assert first.json()["user"]["password"] not in other.text
    assert world.request("POST", path, {}, headers=headers).content == first.content


def test_an_unforeseen_failure_frees_the_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from trove.services import instances as service

    def broken(*_: Any) -> None:
        raise RuntimeError("boom")

    with monkeypatch.context() as patched:
        patched.setattr(service, "create", broken)
        assert order(world, "k").status_code == 500
    assert order(world, "k").status_code == 200


def test_answers_are_kept_sealed_for_a_day(world: World) -> None:
    request = once_only("p", "k", b"body")
    claim(world.installation, request)
    keep(world.installation, request, Kept(200, "a password"))
    assert claim(world.installation, request) == Kept(200, "a password")
    with world.database.session() as session:
        assert "a password" not in str(session.scalars(select(IdempotentRequest.body)).one())
    forget(world.installation, request)
    assert claim(world.installation, request) == Kept(200, "a password")
    age(world, KEPT + timedelta(seconds=1))
    assert isinstance(claim(world.installation, request), Attempt)
    keep(world.installation, once_only("p", "unknown", b""), Kept(200, ""))
