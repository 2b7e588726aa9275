"""Names and passwords that would break a statement that is glued together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import query
from tests.support.tenants import HARD_PASSWORD, database, databases_of, listed, user
from trove.datastores import manifest_of
from trove.errors import AlreadyExists
from trove.testing.engines import Engine, Refused

pytestmark = [pytest.mark.engine, pytest.mark.sql]


@pytest.mark.parametrize("name", ["quo'te", 'dou"ble', "back`tick", "with space", "Ünï-✓", "a%b"])
def test_hard_names(shared: Engine, name: str) -> None:
    shared.parts.databases.create([database(name)])
    shared.parts.users.create([user(name, name, password=HARD_PASSWORD)])
    assert listed(shared)[name] == [name]
    who: dict[str, Any] = {"user": name, "password": HARD_PASSWORD, "database": name}
    query(shared, "CREATE TABLE t (x int)", **who)
    shared.parts.users.revoke(user(name), name)
    with pytest.raises(Refused):
        query(shared, "SELECT 1", **who)
    shared.parts.users.grant(user(name), [name])
    shared.parts.users.update(user(name), new_name=name + "2")
    assert query(shared, "SELECT x FROM t", **(who | {"user": name + "2"})) == []
    shared.parts.users.delete(user(name + "2"))
    shared.parts.databases.delete(name)
    assert name not in databases_of(shared)


def test_the_longest_names(shared: Engine) -> None:
    manifest = manifest_of(shared.manager)
    longest_database = "d" * manifest.database_names.longest
    longest_user = "u" * manifest.user_names.longest
    shared.parts.databases.create([database(longest_database)])
    shared.parts.users.create([user(longest_user, longest_database)])
    assert listed(shared)[longest_user] == [longest_database]
    query(shared, "SELECT 1", user=longest_user, password="secret", database=longest_database)


def test_no_password_lies_about(shared: Engine) -> None:
    needle = "n33dle-in-the-hay"
    shared.parts.databases.create([database("hay")])
    shared.parts.users.create([user("hay", "hay", password=needle)])
    shared.parts.users.change_passwords([user("hay", password=needle + "2")])
    shared.parts.root.enable(needle + "3")
    shared.parts.root.disable()
    with pytest.raises(AlreadyExists):
        shared.parts.users.create([user("hay", password=needle)])
    secret = (shared.spec.config / "os_admin.secret").read_text()
    for folder in (shared.spec.logs, shared.spec.run, shared.spec.config):
        for path in (p for p in folder.rglob("*") if p.is_file()):
            body = path.read_bytes()
            assert needle.encode() not in body, path
            assert path.name == "os_admin.secret" or secret.encode() not in body, path
            assert path.suffix != ".secret" or path.stat().st_mode & 0o777 == 0o600
    commands = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not [c for c in commands if secret.encode() in c]
