"""People to log in."""

import pytest

from tests.support.identity import People, people_in
from trove.db import Database


@pytest.fixture
def people(sqlite_database: Database) -> People:
    return people_in(sqlite_database)
