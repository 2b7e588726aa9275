"""An instance is deleted; nothing of it is left."""

from __future__ import annotations

from tests.workflows.scenarios import Scenario, by_service
from trove.services import instances

SCENARIOS = (Scenario("instance.delete", by_service(instances.delete), {}, {}),)
