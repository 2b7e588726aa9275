"""Databases, users and root on the wire, with an agent that answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from trove.protocol import Account, Accounts, DatabaseAccount, EngineState
from trove.settings import Settings
from trove.testing import TaskFailure
from trove.testing.world.api import World

MARIADB: dict[str, Any] = {"datastore": {"type": "mariadb"}}


@pytest.fixture
def maria(world: World) -> str:
    users = [
        {"name": "ann", "password": "secret", "host": "10.0.0.%", "databases": [{"name": "app"}]},
        {"name": "bob", "password": "secret"},
    ]
    return world.built(databases=[{"name": "app"}], users=users, **MARIADB)


@pytest.fixture
def postgres(world: World) -> str:
    users = [{"name": "a@b", "password": "secret", "databases": [{"name": "app"}]}]
    return world.built(databases=[{"name": "app"}], users=users)


def done(answer: Any, code: int = 202) -> None:
    assert answer.status_code == code, answer.text
    assert answer.content == b""
    assert answer.headers["content-type"] == "application/json"


def refused(answer: Any, code: int, message: str) -> None:
    assert answer.status_code == code, answer.text
    assert message in answer.text


def test_databases_are_made_listed_and_dropped(world: World, maria: str) -> None:
    base = f"/instances/{maria}/databases"
    done(world.request("POST", base, {"databases": [{"name": "b", "character_set": "utf8mb4"}]}))
    done(world.request("POST", base, {"database": {"name": "c", "charset": "utf8"}}))
    assert [d["name"] for d in world.get(base)["databases"]] == ["app", "b", "c"]
    done(world.request("DELETE", f"{base}/b"))
    assert [d["name"] for d in world.get(base)["databases"]] == ["app", "c"]
    refused(world.request("DELETE", f"{base}/b"), 404, "'b'")
    refused(world.request("DELETE", f"{base}/mysql"), 400, "reserved")
    refused(world.request("GET", f"{base}/app"), 501, "notImplemented")
    refused(world.request("POST", base, {"databases": [{"name": "app"}]}), 400, "exists")
    refused(
        world.request("POST", base, {"databases": [{"name": "x"}, {"name": "x"}]}), 400, "twice"
    )
    refused(world.request("POST", base, {"databases": []}), 400, "databases")
    refused(world.request("POST", base, {"databases": ["x"]}), 400, "databases.0")
    refused(world.request("POST", base, [1]), 400, "dictionary")


def test_pages_of_databases_and_users_go_round(world: World, maria: str) -> None:
    names = ["a%b", "z0@%", "z1", "\u00fc"]
    users = [{"name": name, "password": "p"} for name in names]
    done(world.request("POST", f"/instances/{maria}/users", {"users": users}))
    seen: list[str] = []
    path = f"/v1.0/red-project/instances/{maria}/users?limit=1"
    while path:
        answer = world.client.request("GET", path, headers={"X-Auth-Token": "red"}).json()
        seen += [user["name"] for user in answer["users"]]
        assert answer.get("links") == answer.get("users_links")
        following = answer.get("links", [{"href": ""}])[0]["href"]
        # As clients do: the marker is decoded once, and sent raw.
        path = following.replace("http://trove.test:8779", "").replace("%25", "%")
    assert sorted(seen) == sorted([*names, "ann", "bob"])
    assert len(world.get(f"/instances/{maria}/databases", params={"limit": 1})["databases"]) == 1


@pytest.mark.parametrize("kind", ["databases", "users"])
@pytest.mark.parametrize("datastore", ["mariadb", "postgresql"])
def test_links_may_be_followed_as_they_stand(world: World, datastore: str, kind: str) -> None:
    """As gophercloud and openstacksdk do."""
    instance = world.built(datastore={"type": datastore})
    names = ["a b", "a@b", "a&b=c+d", "z.json", "\u00fc"]
    if kind == "users":
        names += ["a%b", "b%40c", "b%25", "q&r=s#t+u"]
    made = [{"name": name} | ({"password": "p"} if kind == "users" else {}) for name in names]
    done(world.request("POST", f"/instances/{instance}/{kind}", {kind: made}))
    for limit in (1, 2, 3):
        seen: list[str] = []
        path = f"/v1.0/red-project/instances/{instance}/{kind}?limit={limit}"
        while path and len(seen) <= len(names):
            answer = world.client.request("GET", path, headers={"X-Auth-Token": "red"}).json()
            seen += [each["name"] for each in answer[kind]]
            path = answer.get("links", [{"href": ""}])[0]["href"].removeprefix(
                "http://trove.test:8779"
            )
        assert sorted(seen) == sorted(names)


def test_pages_of_databases_and_users_have_sizes_of_their_own(tmp_path: Path) -> None:
    def sized(settings: Settings) -> Settings:
        api = replace(settings.api, page_size=1, databases_page_size=2, users_page_size=3)
        return replace(settings, api=api)

    world = World(tmp_path, sized)
    databases = [{"name": name} for name in "abcd"]
    users = [{"name": name, "password": "p"} for name in "abcd"]
    instance = world.built(databases=databases, users=users)
    assert len(world.get(f"/instances/{instance}/databases?limit=100")["databases"]) == 2
    assert len(world.get(f"/instances/{instance}/users")["users"]) == 3
    assert len(world.get(f"/instances/{instance}/users?limit=2")["users"]) == 2
    world.close()


def test_tenants_neither_see_nor_make_what_the_operator_keeps(tmp_path: Path) -> None:
    own = {"postgresql": {"ignore_dbs": "Watch", "ignore_users": "watcher, probe"}}

    def kept(settings: Settings) -> Settings:
        api = replace(settings.api, ignore_dbs=("spare",), ignore_users=("nagios",))
        return replace(settings, api=api, datastores=own)

    world = World(tmp_path, kept)
    instance = world.built(databases=[{"name": "app"}])
    granted = Account("ann", None, ["app", "watch", "spare"])
    world.agents.of(instance).accounts = Accounts(
        databases=[DatabaseAccount(name) for name in ("app", "watch", "spare")],
        users=[granted, Account("watcher", None), Account("nagios", None)],
    )
    world.agents.run()
    base = f"/instances/{instance}"
    assert world.get(f"{base}/databases") == {"databases": [{"name": "app"}]}
    ann = {"name": "ann", "host": "%", "databases": [{"name": "app"}]}
    assert world.get(f"{base}/users") == {"users": [ann]}
    for name in ("watcher", "PROBE", "nagios"):
        user = {"users": [{"name": name, "password": "p"}]}
        refused(world.request("POST", f"{base}/users", user), 400, "users.name")
        refused(world.request("GET", f"{base}/users/{name}"), 400, "reserved")
        refused(world.request("DELETE", f"{base}/users/{name}"), 400, "reserved")
    for name in ("watch", "Spare"):
        database = {"databases": [{"name": name}]}
        refused(world.request("POST", f"{base}/databases", database), 400, "databases.name")
        refused(world.request("DELETE", f"{base}/databases/{name}"), 400, "reserved")
        refused(world.request("PUT", f"{base}/users/ann/databases", database), 400, "reserved")
    order = {"name": "second", "flavorRef": 2, "volume": {"size": 1}, "databases": [{"name": "x"}]}
    order |= {"users": [{"name": "watcher", "password": "p"}]}
    refused(world.request("POST", "/instances", {"instance": order}), 400, "users.name")
    world.close()


def test_users_have_hosts_where_the_engine_knows_them(world: World, maria: str) -> None:
    base = f"/instances/{maria}/users"
    assert world.get(f"{base}/ann@10.0.0.%25")["user"] == {
        "name": "ann",
        "host": "10.0.0.%",
        "databases": [{"name": "app"}],
    }
    assert world.get(f"{base}/bob")["user"]["host"] == "%"
    refused(world.request("GET", f"{base}/ann"), 404, "ann")
    refused(world.request("GET", f"{base}/root"), 400, "reserved")
    done(world.request("PUT", f"{base}/bob", {"user": {"host": "10.1.1.1", "password": "new"}}))
    done(world.request("PUT", f"{base}/bob@10.1.1.1", {"user": {"name": "bill"}}))
    assert world.get(f"{base}/bill%4010%2e1%2e1%2e1")["user"]["name"] == "bill"
    refused(
        world.request("PUT", f"{base}/bill@10.1.1.1", {"user": {"name": ".."}}), 400, "user.name"
    )
    target = {"user": {"name": "ann", "host": "10.0.0.%"}}
    refused(world.request("PUT", f"{base}/bill@10.1.1.1", target), 400, "exists")
    refused(world.request("PUT", f"{base}/bill@10.1.1.1", {"user": {}}), 400, "user")
    refused(
        world.request("PUT", f"{base}/bill@10.1.1.1", {"user": {"host": "x y"}}), 400, "user.host"
    )
    refused(
        world.request("PUT", f"{base}/bill@10.1.1.1", {"user": {"name": "root"}}), 400, "user.name"
    )
    long = {"user": {"password": "x" * 200}}
    refused(world.request("PUT", f"{base}/bill@10.1.1.1", long), 400, "user.password")
    done(world.request("DELETE", f"{base}/bill@10.1.1.1"))
    assert len(world.get(base)["users"]) == 1


def test_users_without_hosts_may_have_an_at_in_their_names(world: World, postgres: str) -> None:
    base = f"/instances/{postgres}/users"
    assert world.get(f"{base}/a@b")["user"]["host"] == "%"
    assert world.get(f"{base}/a@b@%25")["user"]["name"] == "a@b"
    done(world.request("PUT", f"{base}/a@b", {"user": {"name": "plain", "host": "%"}}))
    assert world.agents.received[-1].args == {"name": "a@b", "new_name": "plain"}
    host = {"users": [{"name": "c", "password": "p", "host": "10.0.0.1"}]}
    refused(world.request("POST", base, host), 400, "host")


def test_users_are_made_and_given_passwords(world: World, maria: str) -> None:
    base = f"/instances/{maria}/users"
    done(world.request("POST", f"{base}/sdk", {"users": {"name": "sdk", "password": "p"}}))
    done(world.request("PUT", base, {"users": [{"name": "sdk", "password": "changed"}]}))
    assert world.agents.of(maria).passwords["sdk"] == "changed"
    refused(world.request("PUT", base, {"users": [{"name": "no", "password": "p"}]}), 404, "no@%")
    refused(
        world.request("POST", base, {"users": [{"name": "sdk", "password": "p"}]}), 400, "exists"
    )
    unknown = {"users": [{"name": "u", "password": "p", "databases": [{"name": "no"}]}]}
    refused(world.request("POST", base, unknown), 400, "users.databases")
    refused(world.request("POST", base, {"users": [{"name": "u"}]}), 400, "users.0.password")


def test_grants_are_given_and_taken(world: World, maria: str) -> None:
    base = f"/instances/{maria}/users/bob/databases"
    done(world.request("PUT", base, {"databases": [{"name": "app"}]}))
    assert world.get(base) == {"databases": [{"name": "app"}]}
    done(world.request("DELETE", f"{base}/app"))
    refused(world.request("DELETE", f"{base}/app"), 404, "app")
    refused(world.request("PUT", base, {"databases": [{"name": "no"}]}), 404, "no")
    refused(world.request("PUT", base, {"databases": [{"name": "mysql"}]}), 400, "reserved")


def test_a_name_may_have_an_encoded_slash(world: World, maria: str) -> None:
    answer = world.request("DELETE", f"/instances/{maria}/databases/{quote('a/b', safe='')}")
    refused(answer, 400, "a/b")


def test_root_is_let_in_and_locked_out(world: World, postgres: str) -> None:
    base = f"/instances/{postgres}/root"
    assert world.get(base) == {"rootEnabled": False}
    refused(world.request("DELETE", base), 404, "not enabled")
    user = world.request("POST", base).json()["user"]
    assert (user["name"], len(user["password"])) == ("root", 36)
    assert world.agents.of(postgres).passwords["root"] == user["password"]
    chosen = world.request("POST", base, {"password": "chosen"}).json()["user"]
    assert chosen["password"] == "chosen"
    refused(world.request("POST", base, {"password": "x" * 500}), 400, "password")
    assert world.get(base) == {"rootEnabled": True}
    history = world.get(f"/mgmt/instances/{postgres}/root", who="admin")["root_history"]
    assert history["user"] == "rita"
    done(world.request("DELETE", base), 204)
    assert world.get(base) == {"rootEnabled": False}
    refused(world.request("DELETE", base), 404, "not enabled")
    again = world.get(f"/mgmt/instances/{postgres}/root", who="admin")["root_history"]
    assert again == history
    kinds = [event["kind"] for event in world.get("/events", params={"kind": "root"})["events"]]
    assert kinds == ["root.disable", "root.enable", "root.enable"]


def test_passwords_are_neither_shown_nor_stored_in_clear(world: World, maria: str) -> None:
    done(
        world.request(
            "POST",
            f"/instances/{maria}/users",
            {"users": [{"name": "u", "password": "very-secret-indeed"}]},
        )
    )
    with world.database.engine.connect() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert "very-secret-indeed" not in dump


@pytest.mark.parametrize(
    ("kind", "code"), [("invalid", 400), ("exists", 400), ("not_found", 404), ("failed", 500)]
)
def test_the_agents_errors_are_answered(world: World, maria: str, kind: str, code: int) -> None:
    world.agents.failures["create_databases"] = TaskFailure("the engine says no", kind)
    answer = world.request("POST", f"/instances/{maria}/databases", {"databases": [{"name": "n"}]})
    refused(answer, code, "the engine says no")
    assert ("databases: the engine" in answer.text) == (code == 400)


def test_no_task_is_dispatched_to_a_stopped_engine(world: World, maria: str) -> None:
    world.agents.state = EngineState.STOPPED
    world.agents.run()
    refused(world.request("GET", f"/instances/{maria}/users"), 422, "stopped")
    world.agents.state = EngineState.RUNNING
    world.agents.run()
    world.change_agent(maria, reported_at=None)
    refused(world.request("GET", f"/instances/{maria}/users"), 422, "silent")
    refused(world.request("GET", "/instances/none/users"), 404, "none")
