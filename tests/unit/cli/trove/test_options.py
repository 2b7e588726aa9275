"""The options and variables that scripts of the older command have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import Reply, Service
from tests.unit.cli.trove.conftest import PG, Result
from trove.cli.trove import program
from trove.cli.trove.options import count, notes_of, parse, seconds, with_environment
from trove.client.cloud import cloud_of

Trove = Callable[..., Result]


@pytest.mark.parametrize(
    "words",
    [
        ("--os-auth-system", "keystone"),
        ("--os_auth_system=keystone",),
        ("--os-auth-plugin", "token"),
        ("--os-json-output",),
        ("--os-database-api-version", "1.0"),
        ("--os_database_api_version", "1"),
        ("--timeout", "30"),
        ("--retries", "0"),
        ("--profile", "key"),
        ("--bypass-url", ""),
        ("--endpoint-type", "publicURL"),
        ("--service-name", "", "--database-service-name", ""),
    ],
    ids=" ".join,
)
def test_older_options_are_accepted(trove: Trove, words: tuple[str, ...]) -> None:
    found = trove(*words, "show", "pg")
    assert (found.code, found.err) == (0, "")
    assert PG in found.out


def test_another_version_is_ignored_with_a_note(trove: Trove, monkeypatch: Any) -> None:
    note = "API version 2.0 is ignored: this command speaks 1.0.\n"
    assert trove("--os-database-api-version", "2.0", "show", "pg").err == note
    monkeypatch.setenv("OS_DATABASE_API_VERSION", "2.0")
    found = trove("show", "pg")
    assert (found.code, found.err) == (0, note)
    assert notes_of(with_environment(parse(["--os-database-api-version", "1"]), {})) == []


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("OS_AUTH_SYSTEM", "auth_type"),
        ("TROVE_DATABASE_SERVICE_NAME", "service_name"),
        ("TROVE_SERVICE_NAME", "service_name"),
        ("TROVE_ENDPOINT_TYPE", "interface"),
        ("TROVE_BYPASS_URL", "endpoint"),
        ("TROVECLIENT_INSECURE", "insecure"),
    ],
)
def test_older_variables_of_the_cloud_are_read(variable: str, field: str) -> None:
    cloud = cloud_of({}, {"OS_AUTH_URL": "http://k/v3", variable: "value"})
    assert getattr(cloud, field) == "value"
    # An option has precedence.
    assert getattr(cloud_of({field: "other"}, {"OS_TOKEN": "t", variable: "v"}), field) == "other"


def test_our_own_spelling_has_precedence() -> None:
    environ = {"OS_TOKEN": "t", "TROVE_ENDPOINT_TYPE": "internal", "OS_ENDPOINT_TYPE": "admin"}
    assert cloud_of({}, environ).interface == "internal"
    assert cloud_of({}, {**environ, "OS_INTERFACE": "public"}).interface == "public"


@pytest.mark.parametrize(
    ("value", "is_json"),
    [("1", True), ("True", True), ("yes", True), ("json", True)]
    + [(word, False) for word in ("", "0", "False", "no", "off")],
)
def test_json_by_a_variable(trove: Trove, monkeypatch: Any, value: str, is_json: bool) -> None:
    monkeypatch.setenv("OS_JSON_OUTPUT", value)
    assert trove("show", "pg").out.startswith("{") is is_json
    # What is chosen on the command line stands.
    assert not trove("-f", "value", "-c", "id", "show", "pg").out.startswith("{")


def test_the_key_of_a_trace_by_a_variable(service: Service, trove: Trove, monkeypatch: Any) -> None:
    monkeypatch.setenv("OS_PROFILE_HMACKEY", "key")
    assert trove("show", "pg").code == 0
    assert "x-trace-info" in service.received[-1].headers
    monkeypatch.delenv("OS_PROFILE_HMACKEY")
    assert trove("show", "pg").code == 0
    assert "x-trace-info" not in service.received[-1].headers


def test_debug_by_a_variable(trove: Trove, monkeypatch: Any) -> None:
    monkeypatch.setenv("TROVECLIENT_DEBUG", "1")
    assert "curl" in trove("show", "pg").err


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_so_many_retries(service: Service, trove: Trove, retries: int) -> None:
    busy = {"serviceUnavailable": {"message": "busy"}}
    service.on("GET", f"/instances/{PG}", Reply(503, busy))
    found = trove("--retries", str(retries), "show", PG)
    assert found.code == 1
    assert len([r for r in service.received if r.short == f"/instances/{PG}"]) == 1 + retries


def test_the_time_for_an_answer(monkeypatch: Any) -> None:
    monkeypatch.setenv("OS_TOKEN", "t")
    monkeypatch.setenv("OS_ENDPOINT", "http://127.0.0.1:1")
    times = []
    for words in ([], ["--timeout", "30"], ["--timeout", "2.5"]):
        session = program.open_session(with_environment(parse(words), {}), False)
        limit = session.http.pool.connection_pool_kw["timeout"]
        times.append((limit.connect_timeout, limit.read_timeout))
        session.close()
    assert times == [(10, 120), (10, 30), (2.5, 2.5)]


@pytest.mark.parametrize(
    "words",
    [("--timeout", "0"), ("--timeout", "inf"), ("--timeout", "x"), ("--timeout", "nan")]
    + [("--retries", "-1"), ("--retries", "1.5")],
    ids=" ".join,
)
def test_what_is_no_time_or_number_is_wrong_usage(trove: Trove, words: tuple[str, ...]) -> None:
    found = trove(*words, "show", "pg")
    assert found.code == 2
    assert words[0] in found.err


def test_times_and_numbers() -> None:
    assert (seconds("1e-3"), count("0")) == (0.001, 0)
