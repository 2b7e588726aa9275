"""The engine of an instance is restarted."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario, by_service
from trove.services import instances

SCENARIOS = (Scenario("instance.restart", by_service(instances.restart), ACTIVE, USED),)
