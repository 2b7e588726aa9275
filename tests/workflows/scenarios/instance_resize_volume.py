"""The volume of an instance grows."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario, by_service
from trove.services import instances

SCENARIOS = (
    Scenario(
        "instance.resize_volume",
        by_service(instances.resize_volume, 3),
        ACTIVE | {"volume_size": 3},
        USED | {"volumes": 3},
    ),
)
