"""Settings that follow from the size of an engine."""

from __future__ import annotations

from fnmatch import fnmatch
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


@pytest.mark.parametrize(
    ("manager", "settings"),
    [
        (
            "postgresql",
            {
                "random_page_cost": "1.1",
                "effective_io_concurrency": "200",
                "log_min_duration_statement": "2000",
                "log_parameter_max_length": "1024",
            },
        ),
        (
            "mariadb",
            {
                "innodb_io_capacity": "2000",
                "innodb_flush_neighbors": "0",
                "slow_query_log": "ON",
                "long_query_time": "2",
            },
        ),
    ],
)
def test_defaults_for_ssds_and_slow_statements(
    manager: str, settings: dict[str, str], tmp_path: Path
) -> None:
    configuration = import_module(f"trove.datastores.{manager}.configuration")
    found = configuration.settings_of(spec_in(tmp_path))
    assert {name: found[name] for name in settings} == settings
    own = dict.fromkeys(settings, "own")
    assert configuration.settings_of(spec_in(tmp_path, settings=own)).items() >= own.items()


@pytest.mark.parametrize(
    ("vcpus", "jit"), [(1, "off"), (2, "off"), (3, "off"), (4, "on"), (64, "on")]
)
def test_queries_are_compiled_where_processors_allow(vcpus: int, jit: str) -> None:
    sizes_of = import_module("trove.datastores.postgresql.configuration").sizes_of
    assert sizes_of(4096, vcpus, 10240)["jit"] == jit


def test_slow_statements_are_in_a_log_that_is_trimmed(manager: str, tmp_path: Path) -> None:
    """A log that the manifest does not name would grow until the volume is full."""
    configuration = import_module(f"trove.datastores.{manager}.configuration")
    settings = configuration.settings_of(spec_in(tmp_path))
    names = [value for value in settings.values() if value.startswith(f"{tmp_path}/")]
    logs = [Path(name).name for name in names if name.endswith(".log")]
    patterns = [log.files for log in manifest_of(manager).logs]
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in logs)
