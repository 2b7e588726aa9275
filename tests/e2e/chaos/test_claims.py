"""Eight processes claim random overlapping sets of resources: no deadlock, no lost claim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.metadata import Server
from trove.db import Database
from trove.engine import Claim
from trove.engine.claims import ClaimedResource

PROCESSES = 8
ROUNDS = 60
ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.chaos, pytest.mark.engine, pytest.mark.timeout(240)]


def run_workers(url: str, directory: Path) -> Counter[str]:
    """The sum of what they count; an error in any of them, a deadlock too, fails the test."""
    command = [sys.executable, "-m", "tests.support.claims_worker", url, str(directory)]
    workers = [
        subprocess.Popen(
            [*command, str(seed), str(ROUNDS)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONWARNINGS": "default"},
        )
        for seed in range(PROCESSES)
    ]
    outcomes = [(worker.communicate(timeout=200), worker.returncode) for worker in workers]
    errors = [err.decode()[-2000:] for (_, err), code in outcomes if code]
    assert not errors, errors[0]
    return sum((Counter(json.loads(out)) for (out, _), _ in outcomes), Counter())


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_overlapping_claims(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server: Server = request.getfixturevalue(engine)
    url = server.new_database()
    database = Database(url)
    database.create_all()
    counts = run_workers(url, tmp_path)
    assert counts["held"] + counts["busy"] == PROCESSES * ROUNDS
    assert min(counts["held"], counts["busy"]) > PROCESSES
    with database.session() as session:
        rows = session.scalars(select(ClaimedResource)).all()
        assert {(row.holder, row.shared) for row in rows} == {(None, 0)}
        assert session.scalars(select(Claim).where(Claim.released.is_(False))).all() == []
    database.dispose()
    with capsys.disabled():
        print(f"\n{engine}: {dict(counts)}")
