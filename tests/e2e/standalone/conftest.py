"""One service for the tests that leave it as it was, and new ones for those that do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.standalone import Service, make_service


def served(**options: str) -> Iterator[Service]:
    """A service that is started, and removed afterwards whatever happened."""
    service = make_service(**options)
    service.start()
    try:
        yield service
    finally:
        service.remove()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    yield from served()
