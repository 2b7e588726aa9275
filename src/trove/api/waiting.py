"""Requests that wait for an agent: in threads of their own, and only so many at once.

Law: an agent that is slow to answer costs those who ask it, and nobody else. The threads that show,
list and look at tokens are never spent on waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from trove.errors import NotReady

THREADS = 100
MOST_OF_INSTANCE = 16
"""More than tools ask for at once, Terraform's ten among them."""
MOST_OF_PROJECT = 32
"""A third of the threads: one project with many hung instances leaves the most to others."""

T = TypeVar("T")


class Waiting:
    """One event loop's waiting requests; no locks, for nothing here waits between looking and
    writing."""

    def __init__(self) -> None:
        self._threads = CapacityLimiter(THREADS)
        self._going: Counter[Hashable] = Counter()

    async def run(self, project_id: str, instance_id: str, work: Callable[[], T]) -> T:
        """What `work` returns; raises NotReady when too many of its kind wait already."""
        # With the project, or a stranger who knows the id could use up the places of its owner.
        instance = (project_id, instance_id)
        self._must_have_room(instance, MOST_OF_INSTANCE, f"the agent of instance {instance_id}")
        self._must_have_room(project_id, MOST_OF_PROJECT, "agents of this project")
        self._going.update((instance, project_id))
        try:
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._going.subtract((instance, project_id))
            # Unary plus keeps what is above zero: ids that were asked for once must not pile up.
            self._going = +self._going

    def _must_have_room(self, key: Hashable, most: int, whom: str) -> None:
        if self._going[key] >= most:
            raise NotReady(
                f"{most} requests wait for {whom} already; try again when they are answered."
            )
