"""One process of the property test of claims: random sets of resources, claimed and released.

`python -m tests.support.claims_worker URL DIRECTORY SEED ROUNDS`. For each resource a file in the
directory is locked, shared or exclusively, for as long as the claim is held: a lock that cannot be
had at once proves that two claims that exclude each other are held at the same time.
"""

from __future__ import annotations

import fcntl
import json
import random
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import update

from trove.db import Database
from trove.engine import ClaimRequest, Mode, Operation, State, Wait, Workflow, start, step
from trove.engine.claims import in_order, release
from trove.errors import ResourceBusy

RESOURCES = [f"resource-{n}" for n in range(6)]


@step
def hold(_: object) -> Wait:
    """Never run: the worker holds the claims by itself."""
    return Wait(60)


EXCLUSIVE: Workflow[object] = Workflow("claims.exclusive", "", (hold,))
SHARED: Workflow[object] = Workflow("claims.shared", "", (hold,), claim=Mode.SHARED)


def main(url: str, directory: str, seed: str, rounds: str) -> None:
    chance = random.Random(int(seed))
    database = Database(url, pool_size=2)
    counts: Counter[str] = Counter()
    for _ in range(int(rounds)):
        counts[one_round(database, Path(directory), chance)] += 1
    database.dispose()
    print(json.dumps(counts))


def one_round(database: Database, directory: Path, chance: random.Random) -> str:
    """Claim, prove that no other process holds what excludes it, release; what came of it."""
    subject, *others = chance.sample(RESOURCES, chance.randint(1, 4))
    workflow = chance.choice([EXCLUSIVE, SHARED])
    claims = [ClaimRequest(each, chance.choice(list(Mode))) for each in others]
    try:
        with database.begin() as session:
            operation_id = start(session, workflow, subject, claims=claims).id
    except ResourceBusy:
        return "busy"
    with ExitStack() as held:
        for request in in_order([ClaimRequest(subject, workflow.claim), *claims]):
            file = held.enter_context((directory / request.resource).open("w"))
            exclusive = request.mode is Mode.EXCLUSIVE
            kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
            fcntl.flock(file, kind | fcntl.LOCK_NB)
    with database.begin() as session:
        ended = update(Operation).where(Operation.id == operation_id)
        session.execute(ended.values(state=State.SUCCEEDED, due_at=None))
        release(session, [operation_id])
    return "held"


if __name__ == "__main__":
    main(*sys.argv[1:5])
