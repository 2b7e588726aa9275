"""Level four: the API in the same process, two projects, and people who call it.

It needs httpx. Its clients see what they would see through a socket.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal
from sqlalchemy import select, update

from trove.api.app import create_app
from trove.db import DatabaseClock, new_id
from trove.errors import Unauthenticated
from trove.models import Agent, Datastore, DatastoreVersion
from trove.models.task import DISPATCHED
from trove.services.installation import Caller
from trove.settings import Settings
from trove.testing.world.cloud import MARIADB, POSTGRESQL, Cloud, Version
from trove.testing.world.metadata import metadata_in

RED, BLUE = "red-project", "blue-project"
PEOPLE = {
    "red": Caller(RED, "rita", roles=frozenset({"member", "reader"})),
    "red-reader": Caller(RED, "rolf", roles=frozenset({"reader"})),
    "blue": Caller(BLUE, "bert", roles=frozenset({"member"})),
    "admin": Caller(RED, "anna", roles=frozenset({"admin"}), is_admin=True),
    "nowhere": Caller("", "nora", roles=frozenset({"member"})),
}
RATES: dict[str, Any] = dict.fromkeys(
    ("http_get_rate", "http_post_rate", "http_put_rate", "http_delete_rate"), 1_000_000
) | {"http_mgmt_post_rate": 1_000_000}


class KnownPeople:
    """An authenticator for which the token is the name."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        caller = PEOPLE.get(headers.get("x-auth-token", ""))
        if caller is None:
            raise Unauthenticated
        return caller


class Client:
    """A synchronous HTTP client of an application in this process."""

    def __init__(self, app: Any) -> None:
        self._entered = start_blocking_portal()
        self._portal = self._entered.__enter__()
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://trove.test:8779")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.request, method, path, **more))

    def close(self) -> None:
        self._portal.call(self._client.aclose)
        self._entered.__exit__(None, None, None)


class World:
    """All levels together: tenants call the API, and operations go on when they are let to.

    Agents do their tasks at once. Time is the database's own, as clients compare it with theirs.
    """

    def __init__(
        self,
        directory: Path,
        settings: Callable[[Settings], Settings] = lambda s: s,
        url: str | None = None,
    ) -> None:
        self.cloud = Cloud(
            directory,
            metadata_in(directory, url, DatabaseClock()),
            settings=lambda plain: settings(replace(plain, api=replace(plain.api, **RATES))),
            versions=[_offered(version) for version in (POSTGRESQL, MARIADB)],
        )
        self.settings = self.cloud.settings
        self.database = self.cloud.database
        self.provider = self.cloud.provider
        self.installation = self.cloud.installation
        self.agents = self.cloud.agents
        self.app = create_app(self.installation, KnownPeople())
        self.client = Client(self.app)
        self._dispatched = threading.Event()
        self._stopping = False
        self.database.notifications.subscribe(DISPATCHED, self._dispatched.set)
        self._thread = threading.Thread(target=self._answer_at_once, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        self._dispatched.set()
        self._thread.join(10)
        self.client.close()
        self.database.dispose()

    def request(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """A request below the project of the caller `who`, by default red."""
        who = more.pop("who", "red")
        headers = {"X-Auth-Token": who} | more.pop("headers", {})
        project = PEOPLE[who].project_id
        return self.client.request(
            method, f"/v1.0/{project}{path}", json=body, headers=headers, **more
        )

    def get(self, path: str, **more: Any) -> Any:
        """The body of a GET that works."""
        answer = self.request("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, who: str = "red", **fields: Any) -> str:
        """An instance that is being built; its id."""
        body = {"name": "db", "flavorRef": "2", "volume": {"size": 1}} | fields
        answer = self.request("POST", "/instances", {"instance": body}, who=who)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["instance"]["id"])

    def built(self, who: str = "red", **fields: Any) -> str:
        """An instance that works; its id."""
        instance_id = self.order(who, **fields)
        self.settle()
        return instance_id

    def settle(self) -> None:
        """Let workflows run until none goes on."""
        self.cloud.drain(50)
        assert not self.cloud.active(), "operations do not end"

    def change_agent(self, instance_id: str, **columns: Any) -> None:
        """Overwrite columns of the last report."""
        with self.database.begin() as session:
            session.execute(update(Agent).where(Agent.instance_id == instance_id).values(**columns))

    def version_id(self, datastore: str) -> str:
        with self.database.session() as session:
            query = select(DatastoreVersion.id).join(Datastore).where(Datastore.name == datastore)
            return session.scalars(query).one()

    def _answer_at_once(self) -> None:
        while not self._stopping:
            self._dispatched.wait()
            self._dispatched.clear()
            if not self._stopping:
                self.agents.run()


def _offered(version: Version) -> Version:
    """A datastore's default, with ids as the product makes them."""
    return replace(version, datastore_id=new_id(), id=new_id(), is_default=True)
