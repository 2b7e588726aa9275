"""One service for the tests that leave it as it was, and new ones for those that do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.standalone import Service, make_service


def _served(number: int, **options: str) -> Iterator[Service]:
    service = make_service(number, **options)
    home = Path(f"{service.state}.home")
    home.mkdir(parents=True)
    service.start()
    try:
        yield service
    finally:
        service.remove()
        shutil.rmtree(service.state.parent, ignore_errors=True)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    yield from _served(1)
