"""Settings that follow from the size of an engine."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from trove.datastores import datastores, manifest_of
from trove.datastores.configuration import usable_memory
from trove.protocol.engine_spec import EngineSpec

MANAGERS = sorted(datastores())
SIZES = [256, 512, 1024, 4096, 65536, 1 << 20]
BUFFERS = {
    "postgresql": "shared_buffers",
    "mariadb": "innodb_buffer_pool_size",
    "redis": "maxmemory",
}
CONNECTIONS = {"redis": "maxclients"}
"""The name of the setting; elsewhere `max_connections`."""
PORTS = {"redis": "tls-port"}
"""The same; elsewhere `port`."""


@pytest.fixture(params=MANAGERS)
def manager(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def configuration(manager: str) -> ModuleType:
    return import_module(f"trove.datastores.{manager}.configuration")


def spec_in(root: Path, **changes: object) -> EngineSpec:
    folders = {name: root for name in ("binaries", "data", "run", "config", "logs")}
    sizes = {"memory": 512, "vcpus": 2}
    values = sizes | {"manager": "x", "address": "127.71.0.1", "port": 1234, **folders}
    return EngineSpec(**(values | changes))  # type: ignore[arg-type]


def mebibytes(value: str) -> int:
    return int(value.rstrip("MBmb"))


def test_buffers_grow_and_fit(manager: str, configuration: ModuleType) -> None:
    sizes = [configuration.sizes_of(usable_memory(memory), 2, 10240) for memory in SIZES]
    buffers = [mebibytes(s[BUFFERS[manager]]) for s in sizes]
    assert buffers == sorted(buffers)
    assert all(part < memory * 0.7 for part, memory in zip(buffers, SIZES, strict=True))
    assert all(int(s[CONNECTIONS.get(manager, "max_connections")]) >= 25 for s in sizes)


def test_the_smallest_memory_is_enough_for_the_buffers(
    manager: str, configuration: ModuleType
) -> None:
    smallest = manifest_of(manager).smallest_memory
    sizes = configuration.sizes_of(usable_memory(smallest), 1, 1024)
    assert mebibytes(sizes[BUFFERS[manager]]) <= smallest // 3


def test_logs_fit_into_a_small_volume() -> None:
    postgresql = import_module("trove.datastores.postgresql.configuration").sizes_of(65536, 8, 1024)
    assert mebibytes(postgresql["max_wal_size"]) <= 103
    mariadb = import_module("trove.datastores.mariadb.configuration").sizes_of(65536, 8, 1024)
    assert mebibytes(mariadb["innodb_log_file_size"]) <= 64


def test_settings_of_the_place_win(manager: str, configuration: ModuleType, tmp_path: Path) -> None:
    spec = spec_in(tmp_path, settings={"max_connections": "7", "extra": "on"})
    settings = configuration.settings_of(spec)
    assert settings["max_connections"] == "7"
    assert settings["extra"] == "on"
    assert settings[PORTS.get(manager, "port")] == "1234"


def test_values_are_quoted(configuration: ModuleType) -> None:
    text = configuration.render({"name": 'it\'s \\ "odd"'})
    double = '"it\'s \\\\ \\"odd\\""\n'
    forms = ("name = 'it''s \\\\ \"odd\"'\n", f"name = {double}", f"name {double}")
    assert any(form in text for form in forms)
