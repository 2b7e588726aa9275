"""What the processes of a server have from their first instruction on."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from tests.support.provider import Traces, boot, local_provider, remove
from tests.support.waiting import until


def test_the_kernel_ends_tenants_before_the_control_plane(tmp_path: Path) -> None:
    """When the machine is out of memory; for every process, whichever starts it."""
    name = f"trove-{uuid.uuid4()}"
    provider = local_provider(tmp_path, "sleep 1000 & sleep 1001")
    boot(provider, name)
    try:
        until(lambda: len(Traces.of(name, tmp_path).processes) >= 2)
        scores = {score_of(pid) for pid in Traces.of(name, tmp_path).processes}
        assert scores == {500}
        assert score_of(os.getpid()) < 500
    finally:
        remove(provider, name)


def score_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
