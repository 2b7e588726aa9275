"""Datastores as objects: each reference leads to what the part promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from trove.datastores import datastore_of, datastores
from trove.datastores.base import Databases, Driver, Root, Tls, Users
from trove.datastores.parts import Datastore, Lazy, Part, Parts
from trove.errors import NotSupported
from trove.protocol import Accounts
from trove.protocol.engine_spec import EngineSpec
from trove.protocol.seeds import Seed

PROMISES = {
    "driver": Driver,
    "databases": Databases,
    "users": Users,
    "root": Root,
    "accounts": Accounts,
    "tls": Tls,
    "sizes": dict[str, str],
    "seed": Seed,
}
WITHOUT_SPEC = {"sizes", "seed"}
REFERENCES = [
    pytest.param(field, getattr(datastore, field), id=f"{name}-{field}")
    for name, datastore in datastores().items()
    for field in PROMISES
    if getattr(datastore, field) is not None
]


@pytest.mark.parametrize(("field", "reference"), REFERENCES)
def test_every_reference_leads_to_what_the_part_promises(field: str, reference: Lazy) -> None:
    found = reference.resolve()
    hints = get_type_hints(found)
    assert hints.pop("return") == PROMISES[field]
    assert field in WITHOUT_SPEC or list(hints.values()) == [EngineSpec]


def test_every_field_is_checked() -> None:
    assert set(Datastore.__dataclass_fields__) == {"manifest", *PROMISES}
    assert {str(part) for part in Part} <= set(PROMISES)


def test_manifests_are_complete() -> None:
    for name, datastore in datastores().items():
        manifest = datastore.manifest
        assert manifest.manager == name
        assert manifest.program
        if datastore.has(Part.ROOT):
            assert manifest.root_name in manifest.user_names.reserved
        if datastore.has(Part.USERS):
            assert "os_admin" in manifest.user_names.reserved


def test_a_datastore_is_read_without_its_client_library() -> None:
    text = "import sys, trove.datastores as d; d.datastores(); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert not {"psycopg", "pymysql"} & set(said.stdout.split())


class Nothing:
    """Stands for any part."""


def make(**parts: Callable[..., Any]) -> Datastore:
    makers: dict[str, Any] = {"driver": lambda spec: Nothing(), **parts}
    return Datastore(datastore_of("postgresql").manifest, **makers)


def test_parts_are_made_once_and_missing_ones_are_not_supported(tmp_path: Path) -> None:
    folders: dict[str, Any] = dict.fromkeys(("binaries", "data", "run", "config", "logs"), tmp_path)
    spec = EngineSpec(
        manager="postgresql", address="127.0.0.1", port=1, memory=256, vcpus=1, **folders
    )
    bare = Parts(make(), spec)
    assert bare.driver is bare.driver
    assert bare.accounts() == Accounts()
    for part in Part:
        assert not bare.datastore.has(part)
        with pytest.raises(NotSupported, match=f"PostgreSQL has no {part}"):
            getattr(bare, part)
    makers = {str(part): lambda spec: Nothing() for part in Part}
    full = Parts(make(accounts=lambda spec: Accounts(root_enabled=True), **makers), spec)
    assert full.accounts().root_enabled
    for part in Part:
        assert full.datastore.has(part)
        assert getattr(full, part) is getattr(full, part)


def test_accounts_go_with_the_parts_that_they_read() -> None:
    for parts in ({"users": lambda spec: Nothing()}, {"accounts": lambda spec: Accounts()}):
        with pytest.raises(ValueError, match="accounts"):
            make(**parts)
