"""The example packages, installed for these tests: their sources and metadata are on the path."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.examples.client import MemcachedClient
from trove.datastores import ENTRY_POINTS, datastores
from trove.datastores.base import Installation
from trove.testing.datastores import (  # noqa: F401 - fixtures
    as_another_user,
    authority,
    idle,
    prepared,
    shared,
)
from trove.testing.engines import Client, installations_of

EXAMPLE = Path(__file__).parents[3] / "examples" / "memcached"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As `pip install` leaves it: metadata with the entry points that pyproject.toml declares."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    points = project["entry-points"][ENTRY_POINTS]
    site = tmp_path_factory.mktemp("site")
    metadata = site / f"trove_memcached-{project['version']}.dist-info"
    metadata.mkdir()
    lines = [f"[{ENTRY_POINTS}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    text = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(site), str(EXAMPLE / "src")])
        datastores.cache_clear()
        yield
    datastores.cache_clear()


@pytest.fixture(scope="session")
def installation(installed: None) -> Installation:
    found = installations_of("memcached")
    if not found:
        pytest.skip("memcached is not installed")
    return found[0]


@pytest.fixture(scope="session")
def client() -> Client:
    return MemcachedClient()
