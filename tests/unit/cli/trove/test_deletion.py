"""Several instances are deleted by one command, whatever becomes of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.service import Reply, Service
from tests.unit.cli.trove.conftest import INSTANCE, Result

Trove = Callable[..., Result]

IDS = {name: f"{number}" * 8 + "-1111-4111-8111-111111111111" for number, name in enumerate("abc")}


@pytest.fixture
def three(service: Service) -> Service:
    """With instances called a, b and c."""
    found = [{**INSTANCE, "id": id_, "name": name} for name, id_ in IDS.items()]
    service.give("/instances", {"instances": found})
    for instance in found:
        service.give(f"/instances/{instance['id']}", {"instance": instance})
        service.on("DELETE", f"/instances/{instance['id']}", Reply(202))
        service.on("POST", f"/instances/{instance['id']}/action", Reply(202))
    return service


def deleted(service: Service) -> list[str]:
    """The names, in the order of the requests."""
    name_of = {id_: name for name, id_ in IDS.items()}
    gone = [r.short for r in service.received if r.method == "DELETE"]
    return [name_of[path.removeprefix("/instances/")] for path in gone]


@pytest.mark.parametrize("names", ["a", "ab", "cab"])
@pytest.mark.parametrize("command", ["delete", "force-delete"])
def test_each_is_deleted(three: Service, trove: Trove, command: str, names: str) -> None:
    found = trove(command, *names)
    assert found.code == 0
    assert deleted(three) == list(names)
    assert found.err.count("Accepted; ") == len(names)
    aborted = [r for r in three.received if r.method == "POST"]
    assert len(aborted) == (len(names) if command == "force-delete" else 0)


def test_ids_and_options_may_be_mixed_with_names(three: Service, trove: Trove) -> None:
    assert trove("delete", "a", "--force", IDS["b"]).code == 0
    assert deleted(three) == ["a", "b"]


def test_one_that_fails_keeps_no_other_from_its_end(three: Service, trove: Trove) -> None:
    refusal = {"badRequest": {"code": 400, "message": "b is in use"}}
    three.on("DELETE", f"/instances/{IDS['b']}", Reply(400, refusal))
    found = trove("delete", "a", "b", "c")
    assert (found.code, deleted(three)) == (1, ["a", "b", "c"])
    assert found.err.splitlines()[-1] == "ERROR: b is in use (HTTP 400)"


def test_all_failures_are_reported(three: Service, trove: Trove) -> None:
    found = trove("delete", "x", "a", "y")
    assert (found.code, deleted(three)) == (1, ["a"])
    assert "'x'" in found.err
    assert "'y'" in found.err


def test_without_any_it_is_wrong_usage(three: Service, trove: Trove) -> None:
    assert trove("delete").code == 2
    assert trove("delete", "--wait").code == 2
    assert deleted(three) == []


@pytest.mark.parametrize("name", ["module-instance-count", "execution-delete"])
def test_what_is_not_served_is_said(trove: Trove, name: str) -> None:
    found = trove(name, "something")
    assert found.code == 1
    assert f"'{name}' is not served by this release." in found.err


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("help", "complete"), "usage: trove complete"),
        (("complete", "--help"), "usage: trove complete"),
        (("--help", "complete"), "usage: trove complete"),
        (("complete", "bash", "-h"), "usage: trove complete"),
        (("help", "help"), "usage: trove help"),
        (("help",), "usage: trove [options]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_its_own_subcommands_are_explained_too(
    trove: Trove, words: tuple[str, ...], shown: str
) -> None:
    found = trove(*words)
    assert found.code == 0
    assert found.out.startswith(shown)
