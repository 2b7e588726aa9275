"""Waiting for a condition.

Law: a deadline only ends a test that hangs; no test asserts how fast something was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

HANG = 240.0
"""Seconds after which a test is taken to hang, on a machine however slow; below pytest's limit."""
INTERVAL = 0.02
"""Seconds between two checks of a condition."""


def until(
    condition: Callable[[], T], why: str | Callable[[], str] = "", *, interval: float = INTERVAL
) -> T:
    """The first true value of the condition; AssertionError if it stays false.

    `why` is its message, or makes it: with the end of a log, for example.
    """
    deadline = time.monotonic() + HANG
    while not (value := condition()):
        assert time.monotonic() < deadline, _message_of(condition, why)
        time.sleep(interval)
    return value


async def until_in_loop(condition: Callable[[], T]) -> T:
    """The same in an event loop, which runs meanwhile."""
    deadline = time.monotonic() + HANG
    while not (value := condition()):
        assert time.monotonic() < deadline, _message_of(condition, "")
        await asyncio.sleep(0.001)
    return value


def _message_of(condition: object, why: str | Callable[[], str]) -> str:
    reason = why() if callable(why) else why or condition
    return f"still not true after {HANG} s: {reason}"
