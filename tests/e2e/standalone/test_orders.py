"""The whole path: an order through the commands, a server that a client reaches over TLS."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import psycopg
import pymysql
import pytest

from tests.support.standalone import Service, kill
from tests.support.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SECRET = "s3cret-'\"\\ pass"


@dataclass(frozen=True)
class Engine:
    """How to order one, and how to talk to it."""

    datastore: str
    program: str

    def query(self, service: Service, name: str, sql: str, database: str = "app") -> str:
        """The first value of the first row, over TLS with the authority checked."""
        address, authority = service.address(name), str(service.authority())
        if self.datastore == "postgresql":
            with psycopg.connect(
                host=address,
                user="app_user",
                password=SECRET,
                dbname=database,
                sslmode="verify-full",
                sslrootcert=authority,
                autocommit=True,
            ) as connection:
                cursor = connection.execute(sql.encode())
                found = cursor.fetchone() if cursor.description else None
                return str(found[0]) if found else ""
        with (
            pymysql.connect(
                host=address,
                user="app_user",
                password=SECRET,
                database=database,
                ssl={"ca": authority, "check_hostname": True},
                autocommit=True,
            ) as link,
            link.cursor() as rows,
        ):
            rows.execute(sql)
            row = rows.fetchone()
            return str(row[0]) if row else ""


ENGINES = (Engine("postgresql", "postgres"), Engine("mariadb", "mariadbd"))


@pytest.fixture(params=ENGINES, ids=lambda e: e.datastore)
def engine(request: pytest.FixtureRequest, service: Service) -> Engine:
    """An engine of which an instance of its name runs, with a table of one row."""
    chosen: Engine = request.param
    if not service.is_up():
        service.start()
    if not is_kept(service, chosen):
        replace(service, chosen)
    return chosen


def is_kept(service: Service, engine: Engine) -> bool:
    """Whether the instance is there and healthy, as an earlier test may have left it."""
    if engine.datastore not in {listed["name"] for listed in service.trove("list")}:
        return False
    return service.is_healthy(engine.datastore) and answers(service, engine)


def replace(service: Service, engine: Engine) -> None:
    for listed in service.trove("list"):
        service.trove("delete", listed["id"], "--wait")
    create(service, engine, engine.datastore)
    engine.query(service, engine.datastore, "CREATE TABLE kept (word varchar(20))")
    engine.query(service, engine.datastore, "INSERT INTO kept VALUES ('still here')")


def create(service: Service, engine: Engine, name: str, *more: str) -> None:
    words = ["create", name, "2", "--size", "1", "--datastore", engine.datastore]
    users = ["--databases", "app", "--users", f"app_user:{SECRET}"]
    service.trove(*words, *users, *more, "--wait")


def still_here(service: Service, engine: Engine) -> bool:
    return engine.query(service, engine.datastore, "SELECT word FROM kept") == "still here"


def test_it_is_healthy_and_reached_over_tls(service: Service, engine: Engine) -> None:
    seen = service.show(engine.datastore)
    assert (seen["status"], seen["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert seen.get("fault") is None
    assert still_here(service, engine)


def test_it_is_not_reached_without_tls(service: Service, engine: Engine) -> None:
    address = service.address(engine.datastore)
    if engine.datastore == "postgresql":
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host=address, user="app_user", password=SECRET, dbname="app", sslmode="disable"
            )
    else:
        with pytest.raises(pymysql.err.Error):
            pymysql.connect(
                host=address, user="app_user", password=SECRET, database="app", ssl_disabled=True
            )


def test_the_url_leads_there(service: Service, engine: Engine) -> None:
    url = service.command("trove", "url", engine.datastore, "--user", "app_user").stdout.strip()
    assert service.address(engine.datastore) in url
    assert SECRET not in url


def test_accounts(service: Service, engine: Engine) -> None:
    name = engine.datastore
    service.trove("database-create", name, "more")
    assert {d["name"] for d in service.trove("database-list", name)} >= {"app", "more"}
    assert "more" in service.fails("database-create", name, "more")
    service.trove("user-create", name, "ann", "pass-word-1", "--databases", "app")
    service.trove("user-grant-access", name, "ann", "more")
    access = {d["name"] for d in service.trove("user-show-access", name, "ann")}
    assert access == {"app", "more"}
    service.trove("user-revoke-access", name, "ann", "app")
    service.trove("user-delete", name, "ann")
    assert "ann" not in {u["name"] for u in service.trove("user-list", name)}
    service.trove("database-delete", name, "more")
    root = service.trove("root-enable", name)
    assert root["password"]
    service.command("trove", "root-disable", name)


def test_restart_and_sizes(service: Service, engine: Engine) -> None:
    name = engine.datastore
    service.trove("restart", name, "--wait")
    assert still_here(service, engine)
    service.trove("resize-volume", name, "2", "--wait")
    service.trove("resize-instance", name, "3", "--wait")
    seen = service.show(name)
    assert (seen["volume"]["size"], str(seen["flavor"]["id"])) == (2, "3")
    assert still_here(service, engine)
    assert "can only grow" in service.fails("resize-volume", name, "1")


def test_a_killed_engine_comes_back(service: Service, engine: Engine) -> None:
    victims = service.processes(engine.program, f"trove-{service.show(engine.datastore)['id']}")
    assert victims
    kill(victims)
    until(lambda: answers(service, engine))
    until(lambda: service.is_healthy(engine.datastore))


def test_a_killed_agent_comes_back_and_its_engine_goes_on(service: Service, engine: Engine) -> None:
    mark = f"trove-{service.show(engine.datastore)['id']}"
    engines = {p.pid for p in service.processes(engine.program, mark)}
    agents = service.processes("trove.guestagent", mark, "--directory")
    agents = [p for p in agents if p.info["name"] not in ("bwrap", "sh")]
    assert agents
    kill(agents)
    old = {agent.pid for agent in agents}

    def replaced() -> bool:
        now = service.processes("trove.guestagent", mark, "--directory")
        return bool({p.pid for p in now if "python" in p.info["name"]} - old)

    until(replaced)
    assert {p.pid for p in service.processes(engine.program, mark)} == engines
    service.trove("restart", engine.datastore, "--wait")
    assert still_here(service, engine)


def test_a_stopped_control_plane_stops_no_engine(service: Service, engine: Engine) -> None:
    address, authority = service.address(engine.datastore), service.authority()
    assert address
    assert authority.is_file()
    service.stop()
    try:
        assert service.processes(engine.program)
    finally:
        service.start()
    until(lambda: service.is_healthy(engine.datastore))
    assert still_here(service, engine)


def test_a_reboot_brings_everything_back(service: Service, engine: Engine) -> None:
    """Every process is gone, and so is every mount."""
    service.kill()
    service.kill_all()
    for line in service.traces()["mounts"]:
        subprocess.run(["umount", line.split()[1]], check=True)
    service.start()
    until(lambda: answers(service, engine))
    until(lambda: service.is_healthy(engine.datastore))
    assert still_here(service, engine)


def answers(service: Service, engine: Engine) -> bool:
    try:
        return still_here(service, engine)
    except (psycopg.Error, pymysql.err.Error, OSError):
        return False


def test_deletion_leaves_nothing(service: Service, engine: Engine) -> None:
    before = service.traces()
    create(service, engine, "short-lived")
    assert service.traces() != before
    service.trove("delete", "short-lived", "--wait")
    until(lambda: service.traces() == before)
