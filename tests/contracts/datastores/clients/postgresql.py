"""A tenant's client of PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.engines import SqlClient
from trove.protocol.engine_spec import EngineSpec
from trove.testing.engines import Login, Refused


class PostgresClient(SqlClient):
    def connect(self, spec: EngineSpec, login: Login) -> Any:
        try:
            return psycopg.connect(
                host=spec.address,
                port=spec.port,
                user=login.user,
                password=login.password,
                dbname=login.database or "postgres",
                connect_timeout=10,
                sslmode="verify-full" if login.tls else "disable",
                sslrootcert=str(spec.authority),
                sslcert="/nonexistent/client.crt",  # not the one of the user that runs the tests
                gssencmode="disable",
            )
        except psycopg.OperationalError as error:
            raise Refused(str(error)) from None


CLIENT = PostgresClient(
    own_databases=["postgres", "template1"],
    refused_user="pg_reserved",
    encoding=("SQL_ASCII", "C"),
    character_set="SELECT 1 WHERE pg_char_to_encoding('{}') BETWEEN 0 AND 34",
    aliases=frozenset({"utf8mb3", "utf8mb4"}),
    tls_versions=("SHOW ssl_min_protocol_version", "TLSv1.2"),
    buffer_size="SELECT setting::bigint * 8192 FROM pg_settings WHERE name='shared_buffers'",
    open_to_all="GRANT CREATE ON SCHEMA public TO PUBLIC",
    sleep="SELECT pg_sleep(600)::text",
    late="PostgreSQL took too long",
    hung="did not answer within .* minutes",
)
