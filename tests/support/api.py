"""The whole API in one process: a real metadata database, the fake provider, real workflows, and
fake agents that call a real conductor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from trove.api.app import create_app
from trove.conductor import create_app as conductor_of
from trove.db import Database
from trove.engine import ACTIVE, Operation, Runner
from trove.errors import Unauthenticated
from trove.models import Agent, Datastore, DatastoreVersion
from trove.models.task import DISPATCHED
from trove.providers.fake import FakeWorld, provider_of
from trove.services.installation import Caller, Installation
from trove.settings import Settings
from trove.taskmanager.service import environment_of, record_end
from trove.testing import AppCalls, FakeAgents
from trove.vault import Vault
from trove.workflows import WORKFLOWS
from trove.workflows.context import Context

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
    """An installation with two projects, and the means to let its workflows run."""

    def __init__(
        self,
        directory: Path,
        settings: Callable[[Settings], Settings] = lambda s: s,
        url: str | None = None,
    ) -> None:
        plain = Settings(state_directory=directory)
        roomy = replace(plain, api=replace(plain.api, **RATES))
        self.settings = settings(roomy)
        self.database = Database(url or f"sqlite:///{directory}/trove.sqlite")
        self.database.create_all()
        self.provider = provider_of(FakeWorld())
        self.installation = Installation(
            self.settings, self.database, Vault(Fernet.generate_key()), self.provider.catalog
        )
        self.agents = FakeAgents(self.provider.world, AppCalls(conductor_of(self.installation)))
        self.app = create_app(self.installation, KnownPeople())
        self.client = Client(self.app)
        self._register()
        self._ordered = threading.Event()
        self._stopping = False
        self.database.notifications.subscribe(DISPATCHED, self._ordered.set)
        self._thread = threading.Thread(target=self._answer_at_once, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        self._ordered.set()
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
        for _ in range(50):
            self.runner().run_until_idle()
            self.agents.run()
            with self.database.begin() as session:
                going = session.scalars(select(Operation.id).where(Operation.state.in_(ACTIVE)))
                if not going.all():
                    return
                now = self.installation.clock.now(session)
                session.execute(
                    update(Operation).where(Operation.state.in_(ACTIVE)).values(due_at=now)
                )
        raise AssertionError("operations do not end")

    def runner(self) -> Runner:
        environment = environment_of(self.installation, self.provider)
        return Runner(
            self.database,
            WORKFLOWS,
            lambda session, operation: Context(session, operation, environment),
            on_end=record_end,
            settings=self.installation.settings,
        )

    def change_agent(self, instance_id: str, **columns: Any) -> None:
        """Overwrite columns of the last report."""
        with self.database.begin() as session:
            session.execute(update(Agent).where(Agent.instance_id == instance_id).values(**columns))

    def version_id(self, datastore: str) -> str:
        with self.database.session() as session:
            query = select(DatastoreVersion.id).join(Datastore).where(Datastore.name == datastore)
            return session.scalars(query).one()

    def _register(self) -> None:
        with self.database.begin() as session:
            for name, version, number in (
                ("postgresql", "15", "15.20"),
                ("mariadb", "10.11", "10.11.19"),
            ):
                datastore = Datastore(name=name)
                session.add(datastore)
                session.flush()
                row = DatastoreVersion(
                    datastore_id=datastore.id, name=version, number=number, manager=name
                )
                session.add(row)
                session.flush()
                datastore.default_version_id = row.id

    def _answer_at_once(self) -> None:
        while not self._stopping:
            self._ordered.wait()
            self._ordered.clear()
            if not self._stopping:
                self.agents.run()
