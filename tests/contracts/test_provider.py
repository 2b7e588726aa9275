"""The shipped contract on every provider, and on the fake with each of its switches.

A new folder of `trove.providers` is taken up by itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.provider import settings_in
from trove import providers
from trove.providers.base import Provider
from trove.providers.fake import FakeWorld, Switches, provider_of
from trove.testing.providers import (  # noqa: F401 - fixtures
    CatalogContract,
    NetworkContract,
    ServersContract,
    VolumesContract,
    patience,
    site,
    template,
)

SWITCHES = {
    "asynchronous": Switches(pending=3),
    "slow": Switches(delay=lambda: time.sleep(0.002)),
    "failing": Switches(failures=1),
    "losing answers": Switches(loses_answers=True),
    "everything at once": Switches(pending=2, failures=1, loses_answers=True),
    "incapable": Switches(),
}


@pytest.fixture(params=[*providers.names(), *SWITCHES])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Provider]:
    if request.param in SWITCHES:
        world = FakeWorld(switches=SWITCHES[request.param])
        yield (
            provider_of(world, frozenset()) if request.param == "incapable" else provider_of(world)
        )
        return
    yield providers.create(replace(settings_in(tmp_path), provider=request.param))
    shutil.rmtree(tmp_path)


class TestCatalog(CatalogContract):
    """What is offered."""


class TestNetwork(NetworkContract):
    """Addresses."""


class TestVolumes(VolumesContract):
    """Disks."""


class TestServers(ServersContract):
    """Machines."""


@pytest.mark.parametrize("name", providers.names())
def test_a_provider_has_the_name_of_its_folder(name: str, tmp_path: Path) -> None:
    made = providers.create(replace(settings_in(tmp_path), provider=name))
    assert made.name == name
