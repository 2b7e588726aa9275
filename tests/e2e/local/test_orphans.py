"""Servers of this machine, and `trove-manage orphans` with the right database and with others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.orphans import add_deleted_instance, config_of, metadata_in
from tests.support.provider import FIRST_UID, POOL, boot
from trove.cli import manage
from trove.providers.base import Provider, ServerState, view_of


def sweep(state: Path, servers: Path) -> int:
    """With the metadata database of one state directory, on the servers of another."""
    local = ("[local]", f"directory={servers / 'local'}", f"address_pool={POOL}")
    config = config_of(state, *local, f"first_uid={FIRST_UID}")
    return manage.main(["--config-file", str(config), "orphans", "--delete", "--yes"])


def test_living_servers_survive_another_metadata_database(
    make: Callable[..., Provider],
    mode: dict[str, str],
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    provider = make(**mode)
    boot(provider, name)
    provider.network.ensure_address(name, 5432)
    wrong = metadata_in(tmp_path / "wrong")
    add_deleted_instance(wrong, "of-another-installation")
    assert sweep(wrong, tmp_path) == 1
    shown = capsys.readouterr()
    assert "1 left as they are" in shown.err
    assert view_of(provider.compute, name).state is ServerState.UP
    assert name in provider.volumes.names()
    assert name in provider.network.names()
    right = metadata_in(tmp_path / "right")
    add_deleted_instance(right, name.removeprefix("trove-"))
    assert sweep(right, tmp_path) == 0
    assert f"deleted {name}" in capsys.readouterr().out
    assert view_of(provider.compute, name).state is ServerState.ABSENT
    assert provider.volumes.names() == provider.network.names() == {}
