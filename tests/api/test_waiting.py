"""Calls that wait for an agent that hangs do not delay other calls."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.waiting import HANG, until
from trove.api.waiting import MOST_OF_INSTANCE
from trove.services import agents
from trove.testing.world.api import World

THREADS_OF_THE_FRAMEWORK = 40


class HungAgents:
    """In the place of the wait for an answer: it lasts until the test lets it end."""

    def __init__(self) -> None:
        self.waited_for: list[str] = []
        self.go_on = threading.Event()
        self._await_answer = agents.await_answer

    def __call__(self, database: Any, task_id: str, timeout: float) -> Any:
        self.waited_for.append(task_id)
        assert self.go_on.wait(HANG)
        return self._await_answer(database, task_id, timeout)


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> HungAgents:
    made = HungAgents()
    monkeypatch.setattr(agents, "await_answer", made)
    return made


def make_user(world: World, who: str, instance_id: str, number: int) -> Any:
    body = {"users": [{"name": f"u{number}", "password": "secret"}]}
    return world.request("POST", f"/instances/{instance_id}/users", body, who=who)


def test_forty_slow_calls_delay_no_other(world: World, hung: HungAgents) -> None:
    owners = [("red", world.built()), ("red", world.built()), ("blue", world.built("blue"))]
    calls = [(who, i, n) for who, i in owners for n in range(MOST_OF_INSTANCE - 1)]
    assert len(calls) > THREADS_OF_THE_FRAMEWORK
    with ThreadPoolExecutor(len(calls) + 8) as pool:
        answers = [pool.submit(make_user, world, *each) for each in calls]
        try:
            until(lambda: len(hung.waited_for) == len(calls), "not all of them wait")
            paths = ("", "/users", "/databases")
            for path in paths:
                shown = pool.submit(world.request, "GET", f"/instances/{owners[0][1]}{path}")
                assert shown.result(HANG).status_code == 200
            well = pool.submit(world.client.request, "GET", "/healthcheck")
            assert well.result(HANG).status_code == 200
        finally:
            hung.go_on.set()
        assert {answer.result(HANG).status_code for answer in answers} == {202}


def test_too_many_calls_of_one_instance_are_refused(world: World, hung: HungAgents) -> None:
    instance_id = world.built()
    with ThreadPoolExecutor(MOST_OF_INSTANCE + 1) as pool:
        many = range(MOST_OF_INSTANCE)
        answers = [pool.submit(make_user, world, "red", instance_id, n) for n in many]
        try:
            until(lambda: len(hung.waited_for) == MOST_OF_INSTANCE, "not all of them wait")
            refused = pool.submit(make_user, world, "red", instance_id, 99).result(HANG)
        finally:
            hung.go_on.set()
        assert {answer.result(HANG).status_code for answer in answers} == {202}
    assert refused.status_code == 422
    assert instance_id in refused.json()["unprocessableEntity"]["message"]
    assert make_user(world, "red", instance_id, 99).status_code == 202


def test_the_newest_report_is_shown_in_whatever_order_answers_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request reads its answer after the second one has read its own."""
    instance_id = world.built()
    await_answer = agents.await_answer

    def read_late(database: Any, task_id: str, timeout: float) -> Any:
        monkeypatch.setattr(agents, "await_answer", await_answer)
        task = await_answer(database, task_id, timeout)
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(make_user, world, "red", instance_id, 2)
            assert second.result(HANG).status_code == 202
        return task

    monkeypatch.setattr(agents, "await_answer", read_late)
    assert make_user(world, "red", instance_id, 1).status_code == 202
    users = world.get(f"/instances/{instance_id}/users")["users"]
    assert [user["name"] for user in users] == ["u1", "u2"]
