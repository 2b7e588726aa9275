"""The server of an instance is stopped and started."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario, by_service
from trove.services import instances

SCENARIOS = (Scenario("instance.reboot", by_service(instances.reboot), ACTIVE, USED),)
