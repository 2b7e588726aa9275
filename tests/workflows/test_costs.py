"""How many statements an order takes, and what follows it: each costs the database a round trip."""

from __future__ import annotations

from collections import Counter

from tests.support.cost import statements_of
from trove.testing.world import Cloud

ORDER = 20
CREATE = 50
STEPS = 7


def test_an_order_takes_few_statements(cloud: Cloud) -> None:
    cloud.order()
    statements = statements_of(cloud.database, cloud.order)
    assert len(statements) <= ORDER


def test_a_create_takes_few_statements(cloud: Cloud) -> None:
    cloud.order()
    cloud.drain()
    cloud.order()
    statements = statements_of(cloud.database, cloud.runner().run_until_idle)
    assert len(statements) <= CREATE


def test_a_step_reads_its_subject_once(cloud: Cloud) -> None:
    cloud.order()
    statements = statements_of(cloud.database, cloud.runner().run_until_idle)
    tables = Counter(
        sql.partition("FROM ")[2].split()[0] for sql, _ in statements if "FROM " in sql
    )
    assert tables["instances"] <= STEPS
