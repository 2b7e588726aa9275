"""The watch finds a server that is down, and starts its recovery."""

from __future__ import annotations

from tests.workflows.scenarios import Round, take_down
from trove.providers.base import ServerState, view_of
from trove.testing.world import Cloud


def is_recovered(cloud: Cloud, instance_id: str) -> bool:
    view = view_of(cloud.provider.compute, f"trove-{instance_id}")
    last = cloud.last_operation(instance_id)
    return (view.state, last.workflow) == (ServerState.UP, "instance.recover")


SCENARIOS = (Round("servers.watch", take_down, is_recovered),)
