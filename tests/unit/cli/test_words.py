"""What is typed, in every order, and what is said when it can not be done."""

from __future__ import annotations

import io

import pytest

from tests.support.service import Reply

from .conftest import INSTANCE, PG

ONE = f"/instances/{PG}"


class Terminal(io.StringIO):
    """An input at which somebody sits."""

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
def test_options_may_stand_between_the_names(service, trove, line):
    service.on("POST", "/instances", Reply(200, {"instance": INSTANCE}))
    assert trove(*line.split()).code == 0
    assert service.asked[-1].body["instance"] == {
        "name": "new",
        "flavorRef": "2",
        "volume": {"size": 1},
        "datastore": {"type": "mariadb"},
    }


def test_a_password_behind_an_option_is_one(service, trove):
    service.on("POST", f"{ONE}/users", Reply(202))
    result = trove("user-create", "pg", "joe", "--host", "10.%", "secret")
    assert (result.code, result.err) == (0, "")
    assert service.asked[-1].body["users"] == [
        {"name": "joe", "password": "secret", "databases": [], "host": "10.%"}
    ]


def test_names_that_begin_with_hyphens_stand_behind_two(service, trove):
    service.on("POST", f"{ONE}/users", Reply(202))
    assert trove("user-create", "pg", "--", "-joe", "--pw").code == 0
    assert service.asked[-1].body["users"][0] == {
        "name": "-joe",
        "password": "--pw",
        "databases": [],
    }


def test_words_too_many_or_too_few_are_wrong_usage(trove):
    assert "unrecognized arguments: more" in trove("show", "pg", "--json", "more").err
    result = trove("create", "--size", "1")
    assert result.code == 2
    assert "required: name" in result.err
    assert result.err.startswith("usage: trove create ")


def test_ctrl_d_where_a_password_is_asked_for(trove, monkeypatch):
    def end(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("io.StringIO", Terminal)
    monkeypatch.setattr("getpass.getpass", end)
    result = trove("user-create", "pg", "u")
    assert result.code == 1
    assert result.err == "\nERROR: The input ended where an answer was asked for.\n"


def test_a_member_of_a_cluster_whose_volume_is_no_number(trove):
    words = "cluster-create c mariadb 10.11 --instance flavor_id=2,volume=big"
    result = trove(*words.split())
    assert result.code == 1
    assert result.err == "ERROR: --instance: volume=big should be a number, of GB.\n"


@pytest.mark.parametrize("option", ["--datastore_type", "--datastore_version_id"])
def test_flavors_of_half_a_choice_are_refused(service, trove, option):
    result = trove("flavor-list", option, "mariadb")
    assert result.code == 1
    assert "--datastore-type and --datastore-version-id go together" in result.err
    assert service.asked == []
