"""Which tasks run beside each other, and in which order."""

from __future__ import annotations

import threading

from tests.support.waiting import HANG, until
from trove.guestagent.lanes import EngineTurns, Lanes
from trove.protocol import TaskRequest
from trove.protocol.tasks import Lane


def test_engine_and_accounts_exclude_each_other_and_the_engine_goes_first() -> None:
    turns, order = EngineTurns(), []
    begun, let_go = threading.Event(), threading.Event()

    def work(lane: Lane, name: str) -> None:
        with turns.of(lane):
            order.append(name)
            begun.set()
            assert let_go.wait(HANG)
            order.append(name)

    def started(lane: Lane, name: str) -> threading.Thread:
        thread = threading.Thread(target=work, args=(lane, name))
        thread.start()
        return thread

    threads = [started(Lane.ACCOUNTS, "user")]
    assert begun.wait(HANG)
    threads.append(started(Lane.ACCOUNTS, "database"))
    threads.append(started(Lane.ENGINE, "restart"))
    until(lambda: turns._first_waiting)
    assert order == ["user"]
    let_go.set()
    for thread in threads:
        thread.join(HANG)
    assert order == ["user", "user", "restart", "restart", "database", "database"]


def test_a_long_task_excludes_nothing() -> None:
    turns = EngineTurns()
    with turns.of(Lane.LONG), turns.of(Lane.ENGINE), turns.of(Lane.LONG):
        pass


def test_a_lane_that_is_held_up_holds_up_no_other() -> None:
    lanes, let_go, done = Lanes(), threading.Event(), threading.Semaphore(0)

    def work(request: TaskRequest) -> None:
        if request.kind == "slow":
            assert let_go.wait(HANG)
        done.release()

    lanes.start(work)
    lanes.put(Lane.LONG, TaskRequest("1", "slow"))
    lanes.put(Lane.ACCOUNTS, TaskRequest("2", "quick"))
    assert done.acquire(timeout=HANG)
    let_go.set()
    assert done.acquire(timeout=HANG)
