"""Requests that wait for an agent: in threads of their own, and only so many at once.

Law: an agent that is slow to answer delays requests to it, and no others. The threads that show,
list and validate tokens never wait for agents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from trove.errors import NotReady

THREADS = 100
MOST_OF_INSTANCE = 16
"""More than tools send at once, Terraform's ten included."""
MOST_OF_PROJECT = 32
"""A third of the threads: one project with many hung instances leaves most to others."""

T = TypeVar("T")


class Waiting:
    """One event loop's waiting requests; no locks, for nothing here waits between looking and
    writing."""

    def __init__(self) -> None:
        self._threads = CapacityLimiter(THREADS)
        self._going: Counter[Hashable] = Counter()

    async def run(self, project_id: str, instance_id: str, work: Callable[[], T]) -> T:
        """What `work` returns; raises NotReady when too many of its kind wait already."""
        # With the project: another project that knows the id must not use up the owner's share.
        instance = (project_id, instance_id)
        self._must_have_capacity(instance, MOST_OF_INSTANCE, f"the agent of instance {instance_id}")
        self._must_have_capacity(project_id, MOST_OF_PROJECT, "agents of this project")
        self._going.update((instance, project_id))
        try:
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._going.subtract((instance, project_id))
            # Unary plus keeps what is above zero: ids that were used once must not accumulate.
            self._going = +self._going

    def _must_have_capacity(self, key: Hashable, most: int, target: str) -> None:
        if self._going[key] >= most:
            raise NotReady(
                f"{most} requests wait for {target} already; try again when they are answered."
            )
