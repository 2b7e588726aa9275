"""Fixtures for all tests: metadata databases, random order, log handlers that end with a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.support.metadata", "tests.support.order"]


@pytest.fixture(autouse=True)
def no_handlers_left() -> Iterator[None]:
    """A handler of a test writes to a stream that is closed after it."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in list(root.handlers):
        if handler not in before:
            root.removeHandler(handler)
