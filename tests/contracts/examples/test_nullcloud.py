"""The example of a provider outside of Trove is installed, read from its section, and used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contracts.examples.installing import EXAMPLES, installed_from
from trove import providers
from trove.errors import Failed, Invalid
from trove.providers.base import Provider
from trove.settings import Loaded, options, plugins, read_settings, reference
from trove.testing.providers import (  # noqa: F401 - fixtures
    CatalogContract,
    NetworkContract,
    ServersContract,
    Site,
    VolumesContract,
    patience,
    site,
    template,
)
from trove.testing.world import Cloud

EXAMPLE = EXAMPLES / "nullcloud"


def forget() -> None:
    plugins.plugins.cache_clear()
    options.options.cache_clear()


@pytest.fixture(autouse=True)
def installed(tmp_path: Path) -> Iterator[None]:
    place = tmp_path / "site"
    place.mkdir()
    with installed_from(EXAMPLE, place):
        forget()
        yield
    forget()


def read(tmp_path: Path, text: str) -> Loaded:
    file = tmp_path / "trove.conf"
    file.write_text(f"[DEFAULT]\nprovider = nullcloud\nstate_directory = {tmp_path}\n{text}")
    return read_settings([file], environ={"TROVE_NULLCLOUD_ZONES": "south, west"})


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return providers.create(read(tmp_path, "[nullcloud]\nmost_servers = 1\n").settings)


class TestCatalog(CatalogContract):
    """What is offered."""


class TestNetwork(NetworkContract):
    """Addresses."""


class TestVolumes(VolumesContract):
    """Disks."""


class TestServers(ServersContract):
    """Machines."""


def test_it_is_found_by_its_entry_point() -> None:
    assert providers.names() == ["fake", "local", "nullcloud"]


def test_it_is_made_by_its_own_section(provider: Provider, site: Site) -> None:  # noqa: F811
    assert provider.catalog.availability_zones() == ("south", "west")
    site.boot()
    with pytest.raises(Failed, match="most_servers allows no more"):
        provider.compute.ensure_server(site.spec(site.other))


def test_without_its_section_it_has_its_defaults(tmp_path: Path) -> None:
    file = tmp_path / "trove.conf"
    file.write_text("[DEFAULT]\nprovider = nullcloud\n")
    made = providers.create(read_settings([file], environ={"HOME": str(tmp_path)}).settings)
    assert made.catalog.availability_zones() == ("north",)


@pytest.mark.parametrize("value", ["0", "10001", "many", ""])
def test_values_that_are_not_allowed_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(Invalid, match=r"\[nullcloud\] most_servers = "):
        read(tmp_path, f"[nullcloud]\nmost_servers = {value}\n")


def test_an_unknown_option_is_warned_of(tmp_path: Path) -> None:
    [warning] = read(tmp_path, "[nullcloud]\nmost_server = 3\n").warnings
    assert "did you mean most_servers?" in warning


def test_its_settings_are_described() -> None:
    page = reference.page()
    assert "| `most_servers` | `100` | Servers that there may be at the same time." in page
    assert "From 1 to 10000." in page


def test_an_instance_is_created_on_it(tmp_path: Path, provider: Provider) -> None:
    """As far as one without an agent comes: it has an address, a volume and a server."""
    cloud = Cloud(tmp_path / "cloud")
    cloud.installation = replace(cloud.installation, catalog=provider.catalog)
    fake, cloud.provider = cloud.provider, provider  # type: ignore[assignment]
    instance_id = cloud.order(flavor_id="small", availability_zone="south")
    cloud.answers = False
    cloud.drain(3)
    name = f"trove-{instance_id}"
    parts = (provider.compute, provider.volumes, provider.network)
    assert all(name in part.names() for part in parts)
    assert fake.everything() == []
    assert cloud.words(instance_id)[0] == "BUILD"
    cloud.database.dispose()
