"""Arguments in every order, and the messages for wrong ones."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.service import Reply, Service
from tests.unit.cli.trove.conftest import Result

from .conftest import INSTANCE, PG

ONE = f"/instances/{PG}"


class Terminal(io.StringIO):
    """An input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "line",
    [
        "create new --size 1 small --datastore mariadb",
        "create --size 1 new small --datastore mariadb",
        "create new small --size 1 --datastore mariadb",
        "create --datastore mariadb --size 1 new small",
    ],
)
def test_options_may_stand_between_the_names(
    service: Service, trove: Callable[..., Result], line: str
) -> None:
    service.on("POST", "/instances", Reply(200, {"instance": INSTANCE}))
    assert trove(*line.split()).code == 0
    assert service.received[-1].body["instance"] == {
        "name": "new",
        "flavorRef": "2",
        "volume": {"size": 1},
        "datastore": {"type": "mariadb"},
    }


def test_a_password_behind_an_option_is_one(service: Service, trove: Callable[..., Result]) -> None:
    service.on("POST", f"{ONE}/users", Reply(202))
    result = trove("user-create", "pg", "joe", "--host", "10.%", "secret")
    assert (result.code, result.err) == (0, "")
    assert service.received[-1].body["users"] == [
        {"name": "joe", "password": "secret", "databases": [], "host": "10.%"}
    ]


def test_names_that_begin_with_hyphens_stand_behind_two(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.on("POST", f"{ONE}/users", Reply(202))
    assert trove("user-create", "pg", "--", "-joe", "--pw").code == 0
    assert service.received[-1].body["users"][0] == {
        "name": "-joe",
        "password": "--pw",
        "databases": [],
    }


def test_too_many_or_too_few_arguments_are_wrong_usage(trove: Callable[..., Result]) -> None:
    assert "unrecognized arguments: more" in trove("show", "pg", "--json", "more").err
    result = trove("create", "--size", "1")
    assert result.code == 2
    assert "required: name" in result.err
    assert result.err.startswith("usage: trove create ")


def test_ctrl_d_at_a_password_prompt(
    trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("io.StringIO", Terminal)
    monkeypatch.setattr("getpass.getpass", end)
    result = trove("user-create", "pg", "u")
    assert result.code == 1
    assert result.err == "\nERROR: The input ended at a prompt.\n"


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_at_a_password_prompt(
    service: Service, trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("io.StringIO", Terminal)
    monkeypatch.setattr("getpass.getpass", interrupt)
    result = trove("user-create", "pg", "u")
    assert (result.code, result.err) == (130, "\nInterrupted; nothing was changed.\n")
    assert [each.method for each in service.received] == ["GET"]


def test_ctrl_c_before_there_is_a_session(
    trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trove.cli.trove.program.open_session", interrupt)
    result = trove("list")
    assert (result.code, result.err) == (130, "\nInterrupted; nothing was changed.\n")


@pytest.mark.parametrize("module", ["trove.cli.trove.program", "trove.cli.trove.options"])
def test_ctrl_c_while_the_command_is_imported(
    trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    class Interrupting:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == module:
                interrupt()

    monkeypatch.delitem(sys.modules, "trove.cli.trove.program")
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])
    result = trove("list")
    assert (result.code, result.err) == (130, "\nInterrupted; nothing was changed.\n")


@pytest.mark.parametrize("words", [("lst",), ("help", "lst")])
def test_an_unknown_subcommand_is_wrong_usage(trove: Callable[..., Result], words: Any) -> None:
    result = trove(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("ERROR: There is no subcommand 'lst'. Did you mean `list`?")


@pytest.mark.parametrize("url", ["nonsense", "localhost:5000/v3", "ftp://x"])
def test_an_invalid_address(
    trove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.delenv("OS_ENDPOINT")
    monkeypatch.setenv("OS_AUTH_URL", url)
    result = trove("list")
    assert result.code == 1
    assert result.err.startswith(f"ERROR: '{url}/")
    assert result.err.endswith("' is not an address: http:// or https:// is missing.\n")


def test_a_name_that_is_empty_is_the_services_to_refuse(
    service: Service, trove: Callable[..., Result]
) -> None:
    service.on("POST", f"{ONE}/databases", Reply(400, {"badRequest": {"message": "too short"}}))
    assert trove("database-create", "pg", "").err == "ERROR: too short (HTTP 400)\n"
    assert service.received[-1].body == {"databases": [{"name": ""}]}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["15"], " A version given by its name needs --datastore NAME too."),
        (["15", "--datastore", "postgresql"], ""),
    ],
)
@pytest.mark.parametrize("code", [400, 404])
def test_a_version_by_name_needs_its_datastore(
    service: Service, trove: Callable[..., Result], words: Any, hint: str, code: int
) -> None:
    missing = Reply(code, {"itemNotFound": {"message": "It could not be found."}})
    service.on("GET", "/datastores/versions/15", missing)
    service.on("GET", "/datastores/postgresql/versions/15", missing)
    result = trove("datastore-version-show", *words)
    assert result.err == f"ERROR: It could not be found.{hint} (HTTP {code})\n"


@pytest.mark.parametrize("option", ["--datastore_type", "--datastore_version_id"])
def test_flavors_of_half_a_choice_are_refused(
    service: Service, trove: Callable[..., Result], option: str
) -> None:
    result = trove("flavor-list", option, "mariadb")
    assert result.code == 1
    assert "--datastore-type and --datastore-version-id go together" in result.err
    assert service.received == []


def test_other_refusals_of_a_version_stand(service: Service, trove: Callable[..., Result]) -> None:
    service.on("GET", "/datastores/versions/15", Reply(403, {"f": {"message": "no"}}))
    assert trove("datastore-version-show", "15").err == "ERROR: no (HTTP 403)\n"
