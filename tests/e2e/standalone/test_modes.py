"""Who may read and write the files of a service that was started with the worst umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.standalone import Service, make_service

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

EXPECTED = {
    ".": 0o711,
    "ca": 0o700,
    "ca/ca.key": 0o600,
    "keys": 0o700,
    "keys/secrets.key": 0o600,
    "clouds.yaml": 0o600,
    "standalone.lock": 0o600,
    "standalone.log": 0o600,
    "supervisor.lock": 0o600,
    "trove.sqlite": 0o600,
    "trove.sqlite-wal": 0o600,
    "local": 0o711,
    "local/locks": 0o700,
    "local/servers": 0o711,
    "local/servers/ID": 0o711,
    "local/servers/ID/agent": 0o700,
    "local/servers/ID/alive": 0o600,
    "local/servers/ID/etc/passwd": 0o644,
    "local/servers/ID/launch.log": 0o600,
    "local/servers/ID/server.json": 0o600,
    "local/uids": 0o711,
    "local/volumes/ID": 0o700,
}


@pytest.fixture
def careless() -> Iterator[Service]:
    """Whose umask takes no permission away."""
    before = os.umask(0)
    service = make_service()
    try:
        service.start()
        yield service
    finally:
        service.remove()
        os.umask(before)


def modes_of(top: Path) -> dict[str, int]:
    """Every directory and file below it, by its path; links have no mode of their own."""
    paths = [Path(folder) / name for folder, _, names in os.walk(top) for name in (".", *names)]
    return {
        str(path.relative_to(top)): stat.S_IMODE(path.stat().st_mode)
        for path in paths
        if not path.is_symlink()
    }


def test_modes_do_not_depend_on_the_umask(careless: Service) -> None:
    words = ("create", "open", "2", "--size", "1", "--datastore", "postgresql", "--wait")
    instance_id = careless.trove(*words)["id"]
    modes = modes_of(careless.state)
    assert {path for path, mode in modes.items() if mode & 0o022} == set()
    found = {path.replace(f"trove-{instance_id}", "ID"): mode for path, mode in modes.items()}
    assert {path: found.get(path) for path in EXPECTED} == EXPECTED
