"""`openstack database ...` as it is published, against real engines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from tests.support.standalone import Service
from tests.support.waiting import HANG, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = Path(os.environ.get("TROVE_OSC_VENV", ROOT / ".venv-clients"))


def openstack(service: Service, *words: str) -> Any:
    """What `openstack database` answers."""
    chosen = {"OS_CLIENT_CONFIG_FILE": str(service.state / "clouds.yaml"), "OS_CLOUD": "trove"}
    shown = words[1] in {"show", "list"} or words[:2] == ("instance", "create")
    as_json = ["-f", "json"] if shown else []
    done = subprocess.run(
        [str(CLIENTS / "bin" / "openstack"), "database", *words, *as_json],
        env=service.environ | chosen,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert done.returncode == 0, done.stderr + service.log()
    return json.loads(done.stdout) if as_json else None


def order(service: Service, name: str, datastore: str) -> str:
    """Ordered, built, and its address."""
    accounts = ["--databases", "app", "--users", "app_user:secret"]
    sizes = ["--flavor", "2", "--size", "1"]
    openstack(service, "instance", "create", name, *sizes, "--datastore", datastore, *accounts)
    until(lambda: service.is_healthy(name))
    seen = openstack(service, "instance", "show", name)
    assert (seen["status"], seen["operating_status"]) == ("ACTIVE", "HEALTHY")
    return service.address(name)


def test_postgresql(service: Service) -> None:
    address = order(service, "osc-pg", "postgresql")
    with psycopg.connect(
        host=address,
        user="app_user",
        password="secret",
        dbname="app",
        sslmode="verify-full",
        sslrootcert=str(service.authority()),
    ) as connection:
        assert connection.execute("SELECT 6 * 7").fetchone() == (42,)
    openstack(service, "instance", "delete", "osc-pg")
    until(lambda: "osc-pg" not in {i["name"] for i in service.trove("list")})


def test_mariadb(service: Service) -> None:
    address = order(service, "osc-my", "mariadb")
    with (
        pymysql.connect(
            host=address,
            user="app_user",
            password="secret",
            database="app",
            ssl={"ca": str(service.authority()), "check_hostname": True},
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 6 * 7")
        assert cursor.fetchone() == (42,)
    openstack(service, "db", "create", "osc-my", "more")
    assert {d["Name"] for d in openstack(service, "db", "list", "osc-my")} == {"app", "more"}
    openstack(service, "instance", "delete", "osc-my")
    until(lambda: "osc-my" not in {i["name"] for i in service.trove("list")})
