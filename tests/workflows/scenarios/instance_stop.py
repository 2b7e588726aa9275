"""The engine of an instance is stopped."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario, by_service
from trove.services import instances

SCENARIOS = (Scenario("instance.stop", by_service(instances.stop), ACTIVE, USED),)
