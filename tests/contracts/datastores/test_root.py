"""The engine's superuser, as far as tenants may have it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engines import query, sql
from tests.support.tenants import (
    HARD_PASSWORD,
    databases_of,
    listed,
    other_tables,
    outside_transaction,
    user,
)
from trove.datastores import manifest_of
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


def test_root_is_locked_until_enabled(shared: Engine) -> None:
    root = manifest_of(shared.manager).root_name
    for password in ("", root, "secret"):
        with pytest.raises(Refused):
            query(shared, "SELECT 1", user=root, password=password)
    assert not shared.parts.accounts().root_enabled
    assert shared.parts.root.enable(HARD_PASSWORD) == root
    assert shared.parts.accounts().root_enabled
    assert root not in listed(shared)
    who: dict[str, Any] = {"user": root, "password": HARD_PASSWORD}
    outside_transaction(shared, "CREATE DATABASE made_by_root", **who)
    if sql(shared).open_to_all:
        query(shared, sql(shared).open_to_all, **who)
    assert "made_by_root" in databases_of(shared)
    shared.parts.users.create([user("guest", "made_by_root")])
    other_tables(shared, ["made_by_root"], "guest")
    assert shared.parts.root.enable("again") == root
    assert query(shared, "SELECT 1", user=root, password="again")
    shared.parts.root.disable()
    assert not shared.parts.accounts().root_enabled
    with pytest.raises(Refused):
        query(shared, "SELECT 1", user=root, password="again")
    shared.parts.root.disable()
