"""A server that went down is started, as the watch does."""

from __future__ import annotations

from tests.workflows.scenarios import ACTIVE, USED, Scenario, take_down
from trove.models import Instance
from trove.testing.world import Cloud
from trove.workflows import WORKFLOWS
from trove.workflows.args import Recovery
from trove.workflows.starting import start_on


def recover(cloud: Cloud, instance_id: str) -> None:
    take_down(cloud, instance_id)
    with cloud.database.begin() as session:
        row = session.get_one(Instance, instance_id)
        recipe = WORKFLOWS["instance.recover"]
        start_on(session, recipe, row, args=Recovery(1), clock=cloud.clock)


# A recovery that failed leaves the server down.
DOWN = ("HEALTHY", "ERROR")
SCENARIOS = (Scenario("instance.recover", recover, ACTIVE, USED, after_failure=DOWN),)
