"""Settings that follow from the size of an engine, whichever it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from trove.protocol.engine_spec import EngineSpec

# An agent takes up to 50 MB (ADR 2); the rest is for its supervisor and what it runs.
AGENT_MEMORY = 64
"""MiB of the flavor that are not the engine's."""

Sizes = Callable[[int, int, int], dict[str, str]]
"""Settings by MiB of memory that the engine may use, processors, and MiB of volume."""


def settings_of(spec: EngineSpec, sizes_of: Sizes, fixed: dict[str, str]) -> dict[str, str]:
    """What follows from the size, then what is fixed, then what the spec itself sets."""
    # Of the file system itself, so that a volume that was grown counts at the next start.
    volume = shutil.disk_usage(spec.data).total >> 20
    return sizes_of(usable_memory(spec.memory), spec.vcpus, volume) | fixed | spec.settings


def usable_memory(memory: int) -> int:
    """MiB of a flavor that the engine may use."""
    return max(memory - AGENT_MEMORY, memory // 2)
