"""The example packages, installed for these tests: their sources and metadata are on the path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.examples.client import MemcachedClient
from tests.contracts.examples.installing import EXAMPLES, installed_from
from trove.datastores import datastores
from trove.datastores.base import Installation
from trove.testing.datastores import (  # noqa: F401 - fixtures
    as_another_user,
    authority,
    idle,
    prepared,
    shared,
)
from trove.testing.engines import Client, installations_of

EXAMPLE = EXAMPLES / "memcached"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed_from(EXAMPLE, tmp_path_factory.mktemp("site")):
        datastores.cache_clear()
        yield
    datastores.cache_clear()


@pytest.fixture(scope="session")
def installation(installed: None) -> Installation:
    found = installations_of("memcached")
    if not found:
        pytest.skip("memcached is not installed")
    return found[0]


@pytest.fixture(scope="session")
def client() -> Client:
    return MemcachedClient()
