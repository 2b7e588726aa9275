"""Only the key that sealed a secret opens it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from trove.errors import Failed
from trove.vault import Vault, load_vault


def test_what_was_sealed_is_opened_and_not_readable() -> None:
    vault = Vault(Fernet.generate_key())
    value = {"users": [{"name": "ann", "password": "s3cr3t"}], "n": 1}
    sealed = vault.seal(value)
    assert "s3cr3t" not in sealed
    assert vault.open(sealed) == value


def test_another_key_does_not_open_it() -> None:
    sealed = Vault(Fernet.generate_key()).seal("x")
    with pytest.raises(Failed, match="key_file"):
        Vault(Fernet.generate_key()).open(sealed)


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secrets.key"
    sealed = load_vault(path).seal("x")
    assert load_vault(path).open(sealed) == "x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.key"]


def test_many_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: load_vault(path), range(32)))
    sealed = vaults[0].seal("x")
    assert [vault.open(sealed) for vault in vaults] == ["x"] * 32


def test_what_is_derived_is_the_same_for_the_same_key_and_label_alone() -> None:
    key = Fernet.generate_key()
    derived = Vault(key).derive("a")
    assert derived == Vault(key).derive("a")
    assert len(derived) == 64
    assert derived != Vault(key).derive("b")
    assert derived != Vault(Fernet.generate_key()).derive("a")
