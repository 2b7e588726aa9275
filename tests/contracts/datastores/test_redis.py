"""What is peculiar to Redis: key prefixes as databases, persistence, memory and eviction."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from tests.support.engines import volume
from trove.datastores import datastore_of
from trove.datastores.base import Complains, Empty, Installation
from trove.datastores.discovery import installed_engines
from trove.datastores.parts import Parts
from trove.datastores.process import wait_until
from trove.datastores.redis.configuration import sizes_of
from trove.datastores.redis.session import Refusal, Session, query, session
from trove.errors import AlreadyExists, Failed, Invalid, NotFound, Unavailable
from trove.protocol import Account, DatabaseAccount, EngineState
from trove.protocol.engine_spec import EngineSpec
from trove.testing.authority import Authority
from trove.testing.engines import IS_ROOT, make_spec, privileged, short_directory

pytestmark = pytest.mark.engine
INSTALLATIONS = [i for i in installed_engines() if i.manager == "redis"]
PASSWORD = "pä'ss\"w\\ö%s`$;-- €"
MIB = 1 << 20


@pytest.fixture(params=INSTALLATIONS, ids=[i.version for i in INSTALLATIONS])
def parts(request: pytest.FixtureRequest) -> Iterator[Parts]:
    """A running engine, of this test alone: it starts in a tenth of a second."""
    with short_directory() as root, running(make_spec(root, request.param)) as parts:
        yield parts


@contextmanager
def running(spec: EngineSpec) -> Iterator[Parts]:
    parts = Parts(datastore_of("redis"), spec)
    Authority().equip(parts.spec)
    parts.driver.prepare(Empty())
    parts.driver.configure()
    parts.driver.start()
    try:
        yield parts
    finally:
        parts.driver.stop()


def connect(spec: EngineSpec, user: str, password: str = PASSWORD) -> Session:
    """As a client of a tenant, over verified TLS; raises Refusal."""
    context = ssl.create_default_context(cafile=str(spec.authority))
    plain = socket.create_connection((spec.address, spec.port), timeout=10)
    link = Session(context.wrap_socket(plain, server_hostname=spec.address))
    try:
        link.call("AUTH", user, password)
    except Refusal:
        link.close()
        raise
    return link


def accounts(parts: Parts) -> dict[str, list[str]]:
    return {user.name: user.databases for user in parts.accounts().users}


def make(parts: Parts, name: str, *databases: str) -> None:
    parts.databases.create([DatabaseAccount(each) for each in databases])
    parts.users.create([Account(name, None, list(databases), PASSWORD)])


def pid_of(parts: Parts) -> int:
    return int((parts.spec.run / "redis.pid").read_text())


def restart(parts: Parts) -> None:
    parts.driver.stop()
    parts.driver.configure()
    parts.driver.start()


def test_a_user_reaches_the_keys_of_its_databases_alone(parts: Parts) -> None:
    make(parts, "ann", "a_b")
    make(parts, "eve", "axb")
    link = connect(parts.spec, "ann")
    link.call("SET", "a_b:1", "one")
    link.call("EVAL", "return redis.call('SET', KEYS[1], 'two')", "1", "a_b:2")
    link.call("PUBLISH", "a_b:news", "x")
    for refused in (
        ("SET", "axb:1", "x"),
        ("GET", "a_b"),
        ("EVAL", "return redis.call('SET', 'axb:1', 'x')", "0"),
        ("PUBLISH", "axb:news", "x"),
        *[("KEYS", "*"), ("SCAN", "0"), ("RANDOMKEY",), ("FLUSHALL",), ("FUNCTION", "FLUSH")],
        *[("CONFIG", "GET", "*"), ("ACL", "LIST"), ("SHUTDOWN",), ("MONITOR",)],
    ):
        with pytest.raises(Refusal):
            link.call(*refused)
    link.close()
    for user, password in (("ann", ""), ("ann", "wrong"), ("os_admin", ""), ("os_databases", "")):
        with pytest.raises(Refusal, match="WRONGPASS"):
            connect(parts.spec, user, password)


def test_a_database_is_deleted_with_its_keys_and_grants(parts: Parts) -> None:
    make(parts, "ann", "old", "kept")
    link = connect(parts.spec, "ann")
    for number in ("0", "3"):
        link.call("SELECT", number)
        for key in range(1500):
            link.call("SET", f"old:{key}", "x")
        link.call("SET", "kept:1", "x")
    parts.databases.delete("old")
    with pytest.raises((Refusal, OSError)):
        link.call("GET", "old:1")
    link.close()
    assert accounts(parts) == {"ann": ["kept"]}
    with session(parts.spec) as admin:
        for number in ("0", "3"):
            query(admin, "SELECT", number)
            assert query(admin, "KEYS", "*") == ["kept:1"]


def test_what_databases_lack_is_refused(parts: Parts) -> None:
    for database in (DatabaseAccount("x", "utf8"), DatabaseAccount("x", None, "C")):
        with pytest.raises(Invalid, match="neither character sets nor collations"):
            parts.databases.create([database])
    parts.users.create([Account("ann", None, [], PASSWORD)])
    with pytest.raises(Invalid, match="no hosts"):
        parts.users.update(Account("ann"), new_host="10.0.0.1")
    with pytest.raises(NotFound, match="'none'"):
        parts.users.create([Account("bob", None, ["none"], PASSWORD)])
    with pytest.raises(AlreadyExists, match="'ann'"):
        parts.users.create([Account("bob", None, [], PASSWORD), Account("ann", None, [], "x")])
    assert accounts(parts) == {"ann": []}


def test_changes_of_users(parts: Parts) -> None:
    make(parts, "ann", "a", "b")
    link = connect(parts.spec, "ann")
    parts.users.revoke(Account("ann"), "a")
    with pytest.raises((Refusal, OSError)):
        link.call("GET", "a:1")
    link.close()
    parts.users.grant(Account("ann"), ["a", "b"])
    parts.users.update(Account("ann"), new_name="amy", new_password="new")
    assert accounts(parts) == {"amy": ["a", "b"]}
    connect(parts.spec, "amy", "new").close()
    parts.users.change_passwords([Account("amy", password=PASSWORD)])
    link = connect(parts.spec, "amy")
    parts.users.delete(Account("amy"))
    with pytest.raises((Refusal, OSError)):
        link.call("PING")
    link.close()
    for name in ("amy", "default", "os_admin", "os_databases"):
        with pytest.raises(NotFound):
            parts.users.delete(Account(name))


def test_root_may_do_all_but_take_the_engine_away(parts: Parts) -> None:
    assert not parts.accounts().root_enabled
    assert parts.root.enable(PASSWORD) == "default"
    assert parts.accounts().root_enabled
    link = connect(parts.spec, "default")
    link.call("SET", "anything", "x")
    link.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    for refused in (
        ("ACL", "DELUSER", "os_admin"),
        ("ACL", "SETUSER", "os_admin", "off"),
        ("CONFIG", "SET", "dir", "/tmp"),
        ("MODULE", "LOAD", "/x"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("SHUTDOWN",),
    ):
        with pytest.raises(Refusal):
            link.call(*refused)
    parts.root.disable()
    with pytest.raises((Refusal, OSError)):
        link.call("PING")
    link.close()
    with pytest.raises(Refusal, match="WRONGPASS"):
        connect(parts.spec, "default")
    parts.root.disable()


def test_keys_and_users_outlive_a_killed_engine(parts: Parts) -> None:
    make(parts, "ann", "a")
    link = connect(parts.spec, "ann")
    link.call("SET", "a:1", "kept")
    link.close()
    os.kill(pid_of(parts), signal.SIGKILL)
    assert wait_until(lambda: parts.driver.state() is EngineState.STOPPED, 10)
    with pytest.raises(Unavailable):
        parts.accounts()
    parts.driver.start()
    assert accounts(parts) == {"ann": ["a"]}
    link = connect(parts.spec, "ann")
    assert link.call("GET", "a:1") == "kept"
    link.close()
    restart(parts)
    assert accounts(parts) == {"ann": ["a"]}


def test_memory_follows_the_flavor(parts: Parts) -> None:
    found = []
    for memory in (128, 1024):
        parts.driver.stop()
        resized = Parts(parts.datastore, msgspec.structs.replace(parts.spec, memory=memory))
        resized.driver.configure()
        resized.driver.start()
        with session(parts.spec) as link:
            found.append(int(query(link, "CONFIG", "GET", "maxmemory")[1]) // MIB)
    assert found == [38, 576]
    assert sizes_of(960, 8, 1024)["io-threads"] == "7"
    assert sizes_of(64, 1, 1024)["io-threads"] == "1"


def test_keys_with_an_expiry_are_evicted_and_others_are_not(parts: Parts) -> None:
    parts.driver.stop()
    small = msgspec.structs.replace(parts.spec, settings={"maxmemory": "8mb"})
    parts.driver.configure()
    Parts(parts.datastore, small).driver.configure()
    parts.driver.start()
    with session(parts.spec) as link:
        value = "x" * 100_000
        query(link, "SET", "data", "kept")
        for number in range(200):
            query(link, "SET", f"cache:{number}", value, "EX", "3600")
        assert query(link, "GET", "data") == "kept"
        assert 10 < int(query(link, "DBSIZE")) < 100
        with pytest.raises(Refusal, match="OOM"):
            for number in range(200):
                query(link, "SET", f"data:{number}", value)


def test_a_certificate_is_replaced_without_a_restart(parts: Parts) -> None:
    make(parts, "ann", "a")
    before, pid = connect(parts.spec, "ann"), pid_of(parts)
    Authority().equip(parts.spec)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(parts.spec, "ann")
    parts.tls.reload()
    connect(parts.spec, "ann").close()
    assert before.call("PING") == "PONG"
    before.close()
    assert pid_of(parts) == pid
    parts.driver.stop()
    parts.tls.reload()


def test_a_change_that_cannot_be_saved_is_taken_back(parts: Parts) -> None:
    make(parts, "ann", "a")
    directory = parts.spec.data / "redis"
    hidden = directory.rename(parts.spec.data / "hidden")
    try:
        with pytest.raises(Exception, match=r"(?i)ACL|saving"):
            parts.users.delete(Account("ann"))
        assert accounts(parts) == {"ann": ["a"]}
    finally:
        shutil.move(hidden, directory)


def test_no_password_is_stored_in_the_clear(parts: Parts) -> None:
    make(parts, "ann", "a")
    parts.root.enable("n33dle-" + PASSWORD)
    secret = (parts.spec.config / "os_admin.secret").read_text()
    for path in parts.spec.data.parent.rglob("*"):
        if not path.is_file():
            continue
        body = path.read_bytes()
        assert PASSWORD.encode() not in body, path
        assert path.name == "os_admin.secret" or secret.encode() not in body, path
    assert (parts.spec.config / "os_admin.secret").stat().st_mode & 0o777 == 0o600
    assert (parts.spec.data / "redis" / "users.acl").stat().st_mode & 0o777 == 0o600


@pytest.mark.root
@pytest.mark.skipif(not IS_ROOT, reason="mounts a small volume")
@pytest.mark.parametrize(
    "installation", INSTALLATIONS, ids=[each.version for each in INSTALLATIONS]
)
def test_a_full_volume_is_reported_and_more_space_is_enough(installation: Installation) -> None:
    """Redis refuses writes while its log of commands cannot be written, and goes on by itself."""
    with (
        short_directory() as root,
        volume(root / "data", mebibytes=16),
        running(make_spec(root, installation)) as parts,
    ):
        make(parts, "ann", "a")
        link = connect(parts.spec, "ann")
        link.call("SET", "a:first", "x")
        fill(parts.spec.data / "filler")
        assert wait_until(lambda: not is_written(link), 60)
        assert parts.driver.state() is EngineState.RUNNING
        assert link.call("GET", "a:first") == "x"
        complaint = complaint_of(parts)
        assert "No space left on device" in complaint
        assert "the volume is full" in complaint
        with pytest.raises(Failed, match="the volume is full"):
            parts.users.create([Account("bob", None, [], PASSWORD)])
        assert accounts(parts) == {"ann": ["a"]}
        grow(parts.spec.data, mebibytes=64)
        assert wait_until(lambda: is_written(link), 60)
        assert not complaint_of(parts)
        parts.users.create([Account("bob", None, [], PASSWORD)])
        link.close()


def is_written(link: Session) -> bool:
    try:
        link.call("SET", "a:more", "x")
    except Refusal as refusal:
        assert refusal.code == "MISCONF"
        return False
    return True


def complaint_of(parts: Parts) -> str:
    assert isinstance(parts.driver, Complains)
    return parts.driver.complaint() or ""


def fill(path: Path) -> None:
    """Let a file take all the space that is left."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def grow(point: Path, *, mebibytes: int) -> None:
    with privileged():
        subprocess.run(["mount", "-o", f"remount,size={mebibytes}m", point], check=True)


def test_an_engine_that_does_not_answer_complains_of_nothing(parts: Parts) -> None:
    parts.driver.stop()
    assert not complaint_of(parts)
