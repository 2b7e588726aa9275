"""Data directories that begin as a copy of a prepared one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contracts.datastores.conftest import INSTALLATIONS
from tests.support.engines import client_of
from trove.datastores import datastore_of
from trove.datastores.base import Installation
from trove.datastores.postgresql import cluster
from trove.datastores.postgresql.seed import IDENTITY
from trove.datastores.postgresql.session import execute, query, secret_file, session
from trove.errors import Failed, Unavailable
from trove.files import write_private
from trove.guestagent.seed import main
from trove.protocol.seeds import FILE
from trove.testing.authority import Authority
from trove.testing.engines import (
    Engine,
    ended_after,
    make_engine,
    make_spec,
    short_directory,
)

pytestmark = [pytest.mark.engine, pytest.mark.sql]
SEEDED = [i for i in INSTALLATIONS if datastore_of(i.manager).seed]


@pytest.fixture(params=SEEDED, ids=[f"{i.manager}-{i.version}" for i in SEEDED])
def seeded(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.param
    return found


@pytest.fixture
def seed(seeded: Installation, always_unprivileged: None) -> Iterator[Path]:
    with short_directory() as root:
        assert main([seeded.manager, str(seeded.directory), str(root / "seed")]) == 0
        yield root / "seed"


@contextmanager
def engine_with(seed: Path, seeded: Installation, authority: Authority) -> Iterator[Engine]:
    """Prepared with what a provider has named as its seed."""
    with short_directory() as root:
        client = client_of(seeded.manager)
        engine = make_engine(seeded, make_spec(root, seeded), client)
        write_private(engine.spec.config / FILE, str(seed))
        with ended_after(engine, authority):
            yield engine


def identity_of(engine: Engine) -> str:
    with session(engine.spec) as connection:
        found = query(connection, "SELECT system_identifier::text FROM pg_control_system()")
    return found[0][0]


def test_a_copy_is_a_server_of_its_own(
    seed: Path, seeded: Installation, authority: Authority
) -> None:
    known = set()
    for umask in (0o077, 0o022):
        before = os.umask(umask)
        with engine_with(seed, seeded, authority) as engine:
            os.umask(before)
            files = [p for p in engine.server.directory.rglob("*")]
            assert {p.stat().st_mode & 0o777 for p in files} == {0o700, 0o600}
            engine.driver.start()
            known.add(identity_of(engine))
            with session(engine.spec) as connection:
                execute(connection, "CREATE DATABASE {}", "mine")
                checks = query(connection, "SHOW data_checksums")
                size = query(connection, "SHOW wal_segment_size")
            assert (checks, size) == ([("on",)], [("16MB",)])
            engine.driver.stop()
            engine.driver.start()
            assert identity_of(engine) in known
    assert len(known) == 2
    control = (seed / "global" / "pg_control").read_bytes()
    assert str(IDENTITY.unpack_from(control)[0]) not in known


def test_its_password_is_its_own(seed: Path, seeded: Installation, authority: Authority) -> None:
    with (
        engine_with(seed, seeded, authority) as one,
        engine_with(seed, seeded, authority) as other,
    ):
        one.driver.start()
        write_private(secret_file(one.spec), secret_file(other.spec).read_text())
        with (
            pytest.raises(Unavailable, match="os_admin was renamed, locked or changed"),
            session(one.spec),
        ):
            pass


@pytest.mark.parametrize("damage", ["PG_VERSION", "global/pg_control", "base"])
def test_a_seed_that_is_of_no_use_is_not_used(
    seed: Path,
    seeded: Installation,
    authority: Authority,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (seed / damage).rename(seed / "elsewhere")
    (seed / damage).write_text("nothing of the kind") if damage == "global/pg_control" else None
    with engine_with(seed, seeded, authority) as engine:
        engine.driver.start()
        assert identity_of(engine)
    assert "initdb runs" in caplog.text


def test_a_statement_that_the_engine_refuses_fails(
    seeded: Installation, always_unprivileged: None
) -> None:
    with short_directory() as root:
        cluster.make(seeded.directory, root / "data")
        (root / "data" / "global" / "1260").write_bytes(b"")  # pg_authid
        with pytest.raises(Failed, match="postgres --single"):
            cluster.set_password(seeded.directory, root / "data", "secret")
        with pytest.raises(ValueError, match="quoted"):
            cluster.set_password(seeded.directory, root / "data", "sec'ret")
