"""Waiting for a condition.

Law: a deadline only ends a test that hangs; no test asserts how fast something was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

HANG = 240.0
"""Seconds after which a test is taken to hang, on a machine however slow; below pytest's limit."""
INTERVAL = 0.02
"""Seconds between two checks of a condition."""


def until(condition: Callable[[], T], why: str = "", *, interval: float = INTERVAL) -> T:
    """The first true value of the condition; AssertionError if it stays false."""
    deadline = time.monotonic() + HANG
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not true after {HANG} s: {why or condition}"
        time.sleep(interval)
    return value
