"""Rules of users, and what happens when the engine refuses a change of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from trove.datastores.redis import ADMIN, REGISTRY, access
from trove.datastores.redis.access import (
    databases_in,
    first_file,
    new_user,
    with_databases,
    with_password,
)
from trove.datastores.redis.catalog import is_enabled, visible
from trove.datastores.redis.session import Refusal, Session, verifier


def test_databases_of_rules() -> None:
    rules = new_user("secret", ["b", "a", "a"])
    assert databases_in(rules) == ["a", "b"]
    assert databases_in(with_databases([*rules, "resetchannels"], ["c"])) == ["c"]
    assert databases_in(["on", "~*", "~odd", "&a:*"]) == []
    assert {"~a:*", "&a:*", "-@dangerous"} <= set(rules)


def test_one_password() -> None:
    rules = with_password(["on", "nopass", "#old", "~a:*"], "new")
    assert rules == ["on", "~a:*", f"#{verifier('new')}"]


def test_the_first_access_list_opens_for_the_administrator_alone() -> None:
    lines = [line.split() for line in first_file("secret").splitlines()]
    known = {name: rules for _, name, *rules in lines}
    assert [name for name, rules in known.items() if is_enabled(rules)] == [ADMIN]
    assert set(known) == {"default", ADMIN, REGISTRY}
    assert "secret" not in first_file("secret")
    assert visible(known) == {}
    assert access.databases(known) == []


class Engine:
    """A session that keeps the commands and refuses the first transaction."""

    def __init__(self) -> None:
        self.transactions: list[list[Sequence[str]]] = []

    def call(self, *words: str) -> Any:
        return ["user default off -@all", "user ann on ~a:*"]

    def call_all(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        self.transactions.append(list(commands[1:-1]))
        refused = len(self.transactions) == 1
        return ["OK", *("QUEUED" for _ in commands[1:-1]), [Refusal("ERR no space")] * refused]


def test_a_refused_change_is_taken_back() -> None:
    engine = Engine()
    with pytest.raises(Refusal, match="no space"):
        access.change(cast(Session, engine), {"ann": None, "bob": ["on"]})
    assert engine.transactions == [
        [
            ("ACL", "DELUSER", "ann"),
            ("ACL", "SETUSER", "bob", "reset", "on"),
            ("ACL", "SAVE"),
        ],
        [
            ("ACL", "SETUSER", "ann", "reset", "on", "~a:*"),
            ("ACL", "DELUSER", "bob"),
            ("ACL", "SAVE"),
        ],
    ]
