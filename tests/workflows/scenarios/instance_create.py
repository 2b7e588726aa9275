"""An instance is ordered and built."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario

SCENARIOS = (Scenario("instance.create", lambda cloud, _: None, ACTIVE, USED, builds=True),)
