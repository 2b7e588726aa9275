"""Pages of every list: whatever the limit, each item is seen once, as each kind of client pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trove.protocol import Account, Accounts, DatabaseAccount
from trove.testing.world.api import RED, World

NAMES = ("100%", "a", "a b", "a%41", "a&limit=1", "a+b", "a=b", "b#c", "b?c", "x@y", "é", "日本")
MANY = 7
LONGEST = 1000
"""Items of the largest page of any list."""
LISTS = {
    "/instances": "instances",
    "/instances/detail": "instances",
    "/mgmt/instances": "instances",
    "/operations": "operations",
    "/events": "events",
    "/instances/{id}/databases": "databases",
    "/instances/{id}/users": "users",
}
PROPERTY = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
Follow = Callable[[World, str, str, int], Any]


def get(world: World, url: str, **query: str) -> Any:
    return world.client.request("GET", url, headers={"X-Auth-Token": "admin"}, params=query or None)


def as_it_stands(world: World, url: str, href: str, limit: int) -> Any:
    """openstacksdk and gophercloud follow the link."""
    return get(world, href)


def decoded_once(world: World, url: str, href: str, limit: int) -> Any:
    """python-troveclient takes the marker out of the link, and sends it raw."""
    [marker] = parse_qs(urlsplit(href).query)["marker"]
    return get(world, f"{url}?limit={limit}&marker={marker}")


CLIENTS = pytest.mark.parametrize("follow", [as_it_stands, decoded_once])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A project with several of everything, and the instance that has accounts."""
    world = World(tmp_path_factory.mktemp("pages"))
    instance_id = fill(world)
    yield world, instance_id
    world.close()


def fill(world: World) -> str:
    instance_id = world.built()
    for number in range(MANY - 1):
        world.order(name=f"db-{number}")
    accounts = Accounts(
        databases=[DatabaseAccount(name) for name in NAMES],
        users=[Account(name) for name in NAMES],
    )
    world.change_agent(instance_id, accounts=msgspec.to_builtins(accounts))
    return instance_id


def identity_of(item: dict[str, Any]) -> str:
    return str(item.get("id") or item["name"])


def pages(world: World, path: str, key: str, limit: int, follow: Follow) -> Iterator[list[str]]:
    url = f"/v1.0/{RED}{path}"
    answer = get(world, url, limit=str(limit))
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        yield [identity_of(item) for item in body[key]]
        links = body.get("links", [])
        assert links == body.get(f"{key}_links", [])
        if not links:
            return
        answer = follow(world, url, links[0]["href"], limit)


@CLIENTS
@pytest.mark.parametrize("path", LISTS)
def test_pages_of_any_size_have_each_item_once(
    filled: tuple[World, str], path: str, follow: Follow
) -> None:
    world, instance_id = filled
    key, path = LISTS[path], path.replace("{id}", instance_id)
    [everything] = pages(world, path, key, LONGEST, follow)
    assert len(set(everything)) == len(everything) >= MANY

    @PROPERTY
    @given(limit=st.integers(1, len(everything) + 2))
    def each_once(limit: int) -> None:
        found = list(pages(world, path, key, limit, follow))
        assert [item for page in found for item in page] == everything
        assert {len(page) for page in found[:-1]} <= {limit}
        assert 0 < len(found[-1]) <= limit

    each_once()


@pytest.mark.parametrize("path", LISTS)
def test_a_limit_is_kept_or_refused(filled: tuple[World, str], path: str) -> None:
    world, instance_id = filled
    key, url = LISTS[path], f"/v1.0/{RED}{path.replace('{id}', instance_id)}"

    @PROPERTY
    @given(
        limit=st.one_of(
            st.integers(-3, 20).map(str),
            st.integers(10**8, 10**60).map(str),
            st.floats().map(str),
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
        )
    )
    @example(limit="٣")
    @example(limit="²")
    @example(limit="007")
    @example(limit="9" * 5000)
    def kept_or_refused(limit: str) -> None:
        answer = get(world, url, limit=limit)
        if answer.status_code == 400:
            assert "limit" in answer.text or "NUL" in answer.text
            assert not limit.isascii() or not limit.isdigit() or not limit.strip("0")
            return
        assert answer.status_code == 200, answer.text
        assert len(answer.json()[key]) <= int(limit[:9])

    kept_or_refused()


@pytest.mark.parametrize("path", ["/instances", "/instances/detail", "/operations"])
def test_another_projects_item_is_a_marker_like_none(world: World, path: str) -> None:
    """Else it would show that the other project has it."""
    world.order("blue")
    key = LISTS[path]
    foreign = identity_of(
        world.get("/operations" if key == "operations" else "/instances", who="blue")[key][0]
    )
    absent = "f" * len(foreign)
    refused = [world.request("GET", path, params={"marker": m}) for m in (foreign, absent)]
    assert [answer.status_code for answer in refused] == [404, 404]
    texts = [
        answer.text.replace(marker, "?")
        for answer, marker in zip(refused, (foreign, absent), strict=True)
    ]
    assert texts[0] == texts[1]


def test_a_marker_may_be_deleted_between_two_pages(filled: tuple[World, str]) -> None:
    """Of accounts, which are listed by name: the next page begins where it was."""
    world, instance_id = filled
    for kind in ("databases", "users"):
        url = f"/v1.0/{RED}/instances/{instance_id}/{kind}"
        answer = get(world, url, marker=quote("a%5", safe=""), limit="2")
        assert [item["name"] for item in answer.json()[kind]] == ["a&limit=1", "a+b"]


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A world over each of the metadata databases."""
    made = World(tmp_path, url=database_url)
    yield made
    made.close()


EDGES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:09:59+00:00",
    "0001-01-01T00:00:00-12:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59+14:00",
    "-62135596800",
    "253402300799",
    "inf",
    "-inf",
    "nan",
    "1e308",
)


def test_any_time_is_a_beginning_of_events_or_refused(anywhere: World) -> None:
    anywhere.order()
    everything = len(anywhere.get("/events")["events"])

    @PROPERTY
    @given(since=st.one_of(st.datetimes(timezones=st.just(UTC)), st.datetimes()))
    @example(since=datetime.min.replace(tzinfo=UTC))
    @example(since=datetime.max.replace(tzinfo=UTC))
    def begins(since: datetime) -> None:
        answer = anywhere.get("/events", params={"since": since.isoformat()})
        is_past = since.replace(tzinfo=UTC) < datetime(2020, 1, 1, tzinfo=UTC)
        assert len(answer["events"]) == everything if is_past else True

    begins()
    for edge in EDGES:
        answer = anywhere.request("GET", "/events", params={"since": edge})
        assert answer.status_code in {200, 400}, (edge, answer.text)


FILTERS = {
    "/instances": ("marker", "name"),
    "/mgmt/instances": ("marker", "name", "project_id"),
    "/operations": ("marker", "instance_id", "state", "workflow"),
    "/events": ("instance_id", "operation_id", "kind"),
}


@pytest.mark.parametrize("path", FILTERS)
def test_any_text_is_a_marker_or_a_filter_on_every_database(anywhere: World, path: str) -> None:
    """A text that a column cannot hold finds nothing, and is no failure of the server."""
    anywhere.order()

    @PROPERTY
    @given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
    @example(text="\0")
    @example(text="\U0010ffff")
    @example(text="é" * 300)
    @example(text="x" * 5000)
    @example(text="\\")
    def is_answered(text: str) -> None:
        for name in FILTERS[path]:
            answer = anywhere.request("GET", path, who="admin", params={name: text})
            assert answer.status_code in {200, 400, 404}, (name, text[:20], answer.text)

    is_answered()
