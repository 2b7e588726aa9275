"""What each recipe is tested with: how it is begun, and what is true once it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.cloud import Cloud
from trove.services import instances

USED = {"instances": 1, "ram": 512, "volumes": 1}


@dataclass(frozen=True)
class Scenario:
    """One workflow, begun on an instance that is built unless it is the creation itself."""

    workflow: str
    begin: Callable[[Cloud, str], None]
    done: dict[str, object]
    """Attributes of the instance's view afterwards."""
    used: dict[str, int]
    """Quota in use afterwards."""

    def start(self, cloud: Cloud) -> str:
        if self.workflow == "instance.create":
            return cloud.order()
        instance_id = cloud.built()
        self.begin(cloud, instance_id)
        return instance_id


def _call(action: Callable[..., object], *args: object) -> Callable[[Cloud, str], None]:
    def call(cloud: Cloud, instance_id: str) -> None:
        action(cloud.installation, cloud.caller, instance_id, *args)

    return call


ACTIVE: dict[str, object] = {"status": "ACTIVE", "operating_status": "HEALTHY", "fault": None}

SCENARIOS = (
    Scenario("instance.create", lambda cloud, instance_id: None, ACTIVE, USED),
    Scenario("instance.restart", _call(instances.restart), ACTIVE, USED),
    Scenario("instance.stop", _call(instances.stop), ACTIVE, USED),
    Scenario("instance.reboot", _call(instances.reboot), ACTIVE, USED),
    Scenario(
        "instance.resize_flavor",
        _call(instances.resize_flavor, "1"),
        ACTIVE | {"flavor_id": "1", "memory": 256},
        USED | {"ram": 256},
    ),
    Scenario(
        "instance.resize_flavor",
        _call(instances.resize_flavor, "3"),
        ACTIVE | {"flavor_id": "3", "memory": 1024},
        USED | {"ram": 1024},
    ),
    Scenario(
        "instance.resize_volume",
        _call(instances.resize_volume, 3),
        ACTIVE | {"volume_size": 3},
        USED | {"volumes": 3},
    ),
)
