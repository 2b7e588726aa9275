"""One attempt at one task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """Whether a task may be half done, and where to report how far it has come."""

    is_repeated: bool = False
    """An earlier attempt was interrupted, and it is not known how far it came."""
    existed: Sequence[str] = ()
    """Of what the task is to create, what was there before the first attempt."""
    report: Callable[[float, str], None] = lambda progress, note: None
    """How far it is, from 0 to 1, and what is being done."""
