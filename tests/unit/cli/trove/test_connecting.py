"""How a database is reached: URLs, and the engines' own clients."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.service import ROOT, Reply, Service
from tests.unit.cli.trove.conftest import Result
from trove.cli.trove.connection import Connection, client_of, url_of
from trove.client.errors import ClientError

from .conftest import INSTANCE, PG

ONE = f"/instances/{PG}"
PEM = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
USER = {"name": "app_user", "host": "%", "databases": [{"name": "app"}]}


@pytest.fixture
def database(service: Service) -> Service:
    service.give("/certificate-authority", {"certificate_authority": {"certificate": PEM}})
    service.give(f"{ONE}/users", {"users": [USER]})
    service.give(f"{ONE}/users/app_user/databases", {"databases": USER["databases"]})
    return service


def test_the_authority_is_printed(database: Service, trove: Callable[..., Result]) -> None:
    assert trove("ca-show").out == PEM
    assert json.loads(trove("--json", "ca-show").out) == {"certificate": PEM}


def test_the_url_of_the_only_user(
    database: Service, trove: Callable[..., Result], tmp_path: Path
) -> None:
    out = trove("url", "pg").out.strip()
    url, _, authority = out.partition("&sslrootcert=")
    assert url == "postgresql://app_user@127.75.9.1:5432/app?sslmode=verify-full"
    assert Path(authority).read_text() == PEM
    assert stat.S_IMODE(Path(authority).stat().st_mode) == 0o600


def test_a_url_as_a_document(database: Service, trove: Callable[..., Result]) -> None:
    words = ["--json", "url", "pg", "--user", "a@b", "--database", "d", "--ca", "/ca.pem"]
    assert json.loads(trove(*words).out) == {
        "url": "postgresql://a%40b@127.75.9.1:5432/d?sslmode=verify-full&sslrootcert=/ca.pem"
    }


def test_without_an_authority_the_systems_is_trusted(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.give(f"{ONE}/users", {"users": []})
    assert trove("url", "pg", "--user", "u").out == (
        "postgresql://u@127.75.9.1:5432/postgres?sslmode=verify-full\n"
    )


def test_other_refusals_of_the_authority_stand(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.on("GET", "/certificate-authority", Reply(403, {"forbidden": {"message": "no"}}))
    assert trove("url", "pg", "--user", "u", "--database", "d").err == "ERROR: no (HTTP 403)\n"


def test_of_several_users_one_must_be_named(
    database: Service, trove: Callable[..., Result]
) -> None:
    database.give(f"{ONE}/users", {"users": [USER, {"name": "other", "databases": []}]})
    assert trove("url", "pg").err == (
        "ERROR: Choose a user with --user NAME; the instance has: app_user, other.\n"
    )


@pytest.mark.parametrize("command", ["url", "connect"])
def test_without_users_the_next_step_is_named(
    database: Service, trove: Callable[..., Result], command: str
) -> None:
    database.give(f"{ONE}/users", {"users": []})
    assert trove(command, "pg").err == (
        "ERROR: pg has no users yet; create one with `trove user-create pg NAME`, or enable the "
        "superuser with `trove root-enable pg` and choose it with --user.\n"
    )


@pytest.fixture
def memcached(database: Service) -> Service:
    """The instance is of an engine that has neither users nor a client of its own."""
    instance = {"id": "i-1", "name": "pg", "status": "ACTIVE", "hostname": "127.75.9.1"}
    datastore = {"type": "memcached", "version": "1.6"}
    database.give(ONE, {"instance": instance | {"port": 11211, "datastore": datastore}})
    message = {"message": "memcached has no users"}
    database.on("GET", f"{ONE}/users", Reply(501, {"notImplemented": message}))
    return database


@pytest.mark.parametrize(
    ("words", "url"),
    [
        ([], "memcached://127.75.9.1:11211"),
        (["--database", "d"], "memcached://127.75.9.1:11211/d"),
        (["--user", "u"], "memcached://u@127.75.9.1:11211/"),
    ],
)
def test_the_url_of_an_engine_without_users(
    memcached: Service, trove: Callable[..., Result], words: list[str], url: str
) -> None:
    result = trove("url", "pg", *words)
    assert (result.code, result.out, result.err) == (0, f"{url}\n", "")


def test_connecting_to_an_engine_without_users_names_its_address(
    memcached: Service, trove: Callable[..., Result]
) -> None:
    result = trove("connect", "pg")
    assert result.code == 1
    assert "connect to 127.75.9.1:11211 with the one of your choice" in result.err


def test_other_refusals_of_users_stand(database: Service, trove: Callable[..., Result]) -> None:
    database.on("GET", f"{ONE}/users", Reply(403, {"forbidden": {"message": "no"}}))
    assert trove("url", "pg").err == "ERROR: no (HTTP 403)\n"


def test_users_with_the_same_name_are_listed_with_their_hosts(
    database: Service, trove: Callable[..., Result]
) -> None:
    users = [{"name": "joe", "host": "%"}, {"name": "joe", "host": "10.0.0.1"}, USER]
    database.give(f"{ONE}/users", {"users": users})
    assert trove("url", "pg").err == (
        "ERROR: Choose a user with --user NAME; the instance has: app_user, joe@%, joe@10.0.0.1.\n"
    )
    assert (
        "//joe@127.75.9.1:5432/d?"
        in trove("url", "pg", "--user", "joe@10.0.0.1", "--database", "d").out
    )


def test_a_name_that_looks_like_a_name_and_a_host(
    database: Service, trove: Callable[..., Result]
) -> None:
    users = [{"name": "joe", "host": "h"}, {"name": "joe@h", "host": "%"}]
    database.give(f"{ONE}/users", {"users": users})
    database.give(f"{ONE}/users/joe%40h%40%25/databases", {"databases": [{"name": "d"}]})
    assert "//joe%40h@127.75.9.1:5432/d?" in trove("url", "pg", "--user", "joe@h").out


def test_a_user_gets_a_database_of_its_own(database: Service, trove: Callable[..., Result]) -> None:
    assert "//app_user@127.75.9.1:5432/app?" in trove("url", "pg", "--user", "app_user").out


def test_the_first_of_those_that_were_granted(
    database: Service, trove: Callable[..., Result]
) -> None:
    granted = {"databases": [{"name": "orders"}, {"name": "app"}]}
    database.give(f"{ONE}/users/app_user/databases", granted)
    assert ":5432/orders?" in trove("url", "pg", "--user", "app_user").out
    assert ":5432/app?" in trove("url", "pg", "--database", "app").out


@pytest.mark.parametrize("wanted", ["u", "u@10.0.0.%"])
def test_a_user_with_a_host_is_looked_up_with_it(
    database: Service, trove: Callable[..., Result], wanted: str
) -> None:
    user = {"name": "u", "host": "10.0.0.%", "databases": [{"name": "d"}]}
    database.give(f"{ONE}/users", {"users": [USER, user]})
    database.give(f"{ONE}/users/u%4010%2E0%2E0%2E%25/databases", {"databases": [{"name": "d"}]})
    assert "//u@127.75.9.1:5432/d?" in trove("url", "pg", "--user", wanted).out


def test_a_user_without_databases(database: Service, trove: Callable[..., Result]) -> None:
    database.give(f"{ONE}/users", {"users": [{"name": "u", "host": "%"}]})
    database.give(f"{ONE}/users/u/databases", {"databases": []})
    assert "/postgres?" in trove("url", "pg").out


def test_a_superuser_gets_the_default_database_and_a_note(
    database: Service, trove: Callable[..., Result]
) -> None:
    result = trove("url", "pg", "--user", "root")
    assert "//root@127.75.9.1:5432/postgres?" in result.out
    assert result.err.startswith("The service knows no user 'root' there")


def test_an_instance_without_an_address(database: Service, trove: Callable[..., Result]) -> None:
    bare = INSTANCE | {"addresses": [], "ip": [], "status": "BUILD"}
    database.give(ONE, {"instance": bare})
    result = trove("connect", "pg")
    assert result.code == 1
    assert "pg is BUILD and has no address yet" in result.err


@pytest.mark.parametrize(
    ("to", "url"),
    [
        (
            Connection("mariadb", "mariadb", "10.0.0.1", 3306, "u", "d", authority="/ca.pem"),
            "mariadb://u@10.0.0.1:3306/d?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem",
        ),
        (
            Connection("mysql", "mysql", "::1", 3307, "u"),
            "mysql://u@[::1]:3307/?ssl-mode=VERIFY_IDENTITY",
        ),
        (Connection("rediss", "redis-cli", "10.0.0.1", 6379, "u"), "rediss://u@10.0.0.1:6379/"),
        (
            Connection("rediss", "redis-cli", "10.0.0.1", 6379, "u", "d", authority="/ca.pem"),
            "rediss://u@10.0.0.1:6379/?ssl_ca_certs=/ca.pem",
        ),
        (Connection("couchdb", "", "10.0.0.1", 5984, "u"), "couchdb://u@10.0.0.1:5984/"),
        (Connection("couchdb", "", "10.0.0.1", None, "u"), "couchdb://u@10.0.0.1/"),
        (Connection("memcached", "", "10.0.0.1", 11211, ""), "memcached://10.0.0.1:11211"),
        (Connection("memcached", "", "::1", None, ""), "memcached://[::1]"),
        (Connection("couchdb", "", "10.0.0.1", 5984, "", "a/b"), "couchdb://10.0.0.1:5984/a%2Fb"),
    ],
)
def test_urls(to: Connection, url: str) -> None:
    assert url_of(to) == url


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Programs that print how they were called."""

    def install(*names: str) -> None:
        for name in names:
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"; env\n')
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")

    return install


class TestClients:
    """The right words for each; a password only through the environment."""

    def test_psql(self) -> None:
        run = client_of(Connection("x", "psql", "10.0.0.1", 5432, "u", "d", authority="/ca.pem"))
        assert run.words == (
            *("psql", "--host", "10.0.0.1", "--port", "5432"),
            *("--username", "u", "--dbname", "d"),
        )
        assert run.environment == {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.pem"}

    def test_mariadb(self, programs: Callable[..., None]) -> None:
        programs("mariadb")
        run = client_of(Connection("x", "mariadb", "10.0.0.1", 3306, "u", "d", authority="/ca.pem"))
        assert run.words == (
            *("mariadb", "--host", "10.0.0.1", "--port", "3306", "--user", "u"),
            *("--ssl-verify-server-cert", "--ssl-ca=/ca.pem", "--password", "d"),
        )

    def test_mysql_where_there_is_no_mariadb(self, programs: Callable[..., None]) -> None:
        programs("mysql")
        run = client_of(Connection("x", "mariadb", "10.0.0.1", 3306, "u"))
        assert run.words[0] == "mysql"
        assert "--ssl-mode=VERIFY_IDENTITY" in run.words

    def test_redis(self) -> None:
        run = client_of(Connection("x", "redis-cli", "10.0.0.1", 6379, "u", authority="/ca.pem"))
        assert run.words[-5:] == ("--cacert", "/ca.pem", "--user", "u", "--askpass")

    @pytest.mark.parametrize(
        ("client", "variable"),
        [("psql", "PGPASSWORD"), ("mariadb", "MYSQL_PWD"), ("redis-cli", "REDISCLI_AUTH")],
    )
    def test_a_password_goes_through_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, client: str, variable: str
    ) -> None:
        monkeypatch.setenv("TROVE_DATABASE_PASSWORD", "hush")
        run = client_of(Connection("x", client, "10.0.0.1", 1, "u"))
        assert run.environment[variable] == "hush"
        assert not any("hush" in word or "pass" in word for word in run.words)

    @pytest.mark.parametrize("client", ["", "sh", "/bin/sh"])
    def test_only_known_programs_are_run(self, client: str) -> None:
        with pytest.raises(ClientError, match="connect to 10.0.0.1:1 with the one of your choice"):
            client_of(Connection("x", client, "10.0.0.1", 1, "u"))

    def test_a_client_that_is_not_installed(
        self,
        database: Service,
        trove: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        result = trove("connect", "pg")
        assert result.code == 1
        assert "psql is not installed" in result.err

    def test_the_process_becomes_the_client(
        self, database: Service, programs: Callable[..., None], tmp_path: Path
    ) -> None:
        programs("psql")
        done = subprocess.run(
            [sys.executable, "-m", "trove.cli.trove", "connect", "pg"],
            env={
                "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
                "HOME": str(tmp_path),
                "OS_ENDPOINT": database.url + ROOT,
                "OS_TOKEN": "t",
                "TROVE_DATABASE_PASSWORD": "hush",
                "COVERAGE_PROCESS_CONFIG": os.environ.get("COVERAGE_PROCESS_CONFIG", ""),
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        lines = done.stdout.splitlines()
        assert lines[0] == str(tmp_path / "bin" / "psql")
        assert lines[1:9] == [
            *("--host", "127.75.9.1", "--port", "5432"),
            *("--username", "app_user", "--dbname", "app"),
        ]
        assert "PGPASSWORD=hush" in lines
        assert not any(line.startswith("TROVE_DATABASE_PASSWORD") for line in lines)
