"""An instance gets less memory, or more."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario, by_service
from trove.services import instances


def resize_to(flavor_id: str, memory: int) -> Scenario:
    return Scenario(
        "instance.resize_flavor",
        by_service(instances.resize_flavor, flavor_id),
        ACTIVE | {"flavor_id": flavor_id, "memory": memory},
        USED | {"ram": memory},
    )


SCENARIOS = (resize_to("1", 256), resize_to("3", 1024))
