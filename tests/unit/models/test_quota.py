"""No two requests pass the last free place, in threads and in processes."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cost import statements_of
from trove.db import Database
from trove.errors import OverQuota
from trove.models.quota import Quota, give_back, limits_of, take, usage_of

DEFAULTS = {"instances": 5, "ram": -1, "volumes": 40, "backups": 50}

PROCESS = """
import sys
from trove.db import Database
from trove.errors import OverQuota
from trove.models.quota import take
url, turns = sys.argv[1], int(sys.argv[2])
database, passed = Database(url, pool_size=1), 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(turns):
    try:
        with database.begin() as session:
            take(session, "p", {"instances": 1, "ram": 2}, {"instances": 7, "ram": -1})
        passed += 1
    except OverQuota:
        pass
print(passed)
"""


def try_to_take(database: Database, deltas: dict[str, int]) -> bool:
    try:
        with database.begin() as session:
            take(session, "p", deltas, DEFAULTS)
    except OverQuota:
        return False
    return True


def used(database: Database) -> dict[str, int]:
    with database.begin() as session:
        return usage_of(session, "p")


def test_use_is_counted_and_given_back(database: Database) -> None:
    assert used(database) == {"instances": 0, "ram": 0, "volumes": 0, "backups": 0}
    assert try_to_take(database, {"instances": 2, "volumes": 30, "ram": 10**6})
    with database.begin() as session:
        give_back(session, "p", {"instances": 1, "volumes": 30})
    assert used(database) == {"instances": 1, "ram": 10**6, "volumes": 0, "backups": 0}


def test_an_excess_counts_nothing_and_says_what_there_is_too_little_of(
    database: Database,
) -> None:
    assert try_to_take(database, {"instances": 5})
    expected = r"exceeded for volumes: 41 requested, 0 of 40 in use"
    with pytest.raises(OverQuota, match=expected), database.begin() as session:
        take(session, "p", {"backups": 1, "volumes": 41}, DEFAULTS)
    with pytest.raises(OverQuota, match="5 of 5 in use"), database.begin() as session:
        take(session, "p", {"instances": 1}, DEFAULTS)
    assert used(database) == {"instances": 5, "ram": 0, "volumes": 0, "backups": 0}


def test_an_empty_request_is_never_too_much(database: Database) -> None:
    with database.begin() as session:
        take(session, "p", {"instances": 0}, {"instances": 0})


def test_an_administrators_limit_stands_before_the_default(database: Database) -> None:
    with database.begin() as session:
        session.add(Quota(project_id="p", resource="instances", limit=1))
        session.add(Quota(project_id="other", resource="volumes", limit=0))
    with database.begin() as session:
        assert limits_of(session, "p", DEFAULTS) == DEFAULTS | {"instances": 1}
    assert try_to_take(database, {"instances": 1, "volumes": 1})
    assert not try_to_take(database, {"instances": 1})


def test_projects_do_not_share(database: Database) -> None:
    assert try_to_take(database, {"instances": 5})
    with database.begin() as session:
        take(session, "q", {"instances": 5}, DEFAULTS)
        assert usage_of(session, "q")["instances"] == 5


def test_threads_do_not_pass_the_last_free_place(database: Database) -> None:
    """Twelve at once before there is a row, so that they race for the first one too."""
    with ThreadPoolExecutor(12) as threads:
        deltas = [{"instances": 1, "ram": 512, "volumes": 1}] * 24
        passed = list(threads.map(lambda delta: try_to_take(database, delta), deltas))
    assert sum(passed) == 5
    assert used(database) == {"instances": 5, "ram": 5 * 512, "volumes": 5, "backups": 0}


def test_taking_and_giving_back_at_once_loses_nothing(database: Database) -> None:
    def turn(_: int) -> None:
        if try_to_take(database, {"instances": 1, "volumes": 2}):
            with database.begin() as session:
                give_back(session, "p", {"instances": 1, "volumes": 2})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(turn, range(80)))
    assert used(database) == {"instances": 0, "ram": 0, "volumes": 0, "backups": 0}


def test_processes_do_not_pass_the_last_free_place(database: Database, database_url: str) -> None:
    command = [sys.executable, "-c", PROCESS, database_url, "6"]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    passed = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sum(passed) == 7
    assert used(database)["instances"] == 7


@pytest.mark.parametrize("limit", [-1, 40])
def test_what_is_known_is_taken_by_one_statement_each(
    sqlite_database: Database, limit: int
) -> None:
    """After the limits; only the first use of a resource makes its row."""
    deltas = {"instances": 1, "ram": 512, "volumes": 2}
    limits = DEFAULTS | {"volumes": limit}

    def order() -> None:
        with sqlite_database.begin() as session:
            take(session, "p", deltas, limits)

    counts = [len(statements_of(sqlite_database, order)) for _ in range(3)]
    assert counts == [1 + 3 * 3, 1 + 3, 1 + 3]
    with sqlite_database.session() as session:
        assert usage_of(session, "p") == {"instances": 3, "ram": 1536, "volumes": 6, "backups": 0}
