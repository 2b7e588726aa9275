"""A tenant's client of MariaDB."""

from __future__ import annotations

import ssl
from typing import Any

import pymysql

from tests.support.engines import SqlClient
from trove.protocol.engine_spec import EngineSpec
from trove.testing.engines import Login, Refused


class MariadbClient(SqlClient):
    def connect(self, spec: EngineSpec, login: Login) -> Any:
        context = ssl.create_default_context(cafile=str(spec.authority)) if login.tls else None
        try:
            return pymysql.connect(
                host=spec.address,
                port=spec.port,
                user=login.user,
                password=login.password.encode(),  # a text would be sent as latin1
                database=login.database,
                ssl=context,
                ssl_disabled=not login.tls,
                charset="utf8mb4",
                connect_timeout=10,
            )
        except pymysql.OperationalError as error:
            raise Refused(str(error)) from None


CLIENT = MariadbClient(
    own_databases=["mysql"],
    refused_user="u" * 200,
    encoding=("latin1", "latin1_german2_ci"),
    character_set="SELECT 1 FROM information_schema.collations WHERE character_set_name = '{}'",
    aliases=frozenset({"utf8"}),
    tls_versions=("SELECT @@tls_version", "TLSv1.2,TLSv1.3"),
    buffer_size="SELECT @@innodb_buffer_pool_size",
    open_to_all="",
    sleep="SELECT SLEEP(600)",
    late="timed out",
    hung="timed out",
)
