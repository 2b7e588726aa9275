"""The real API on a real socket, with the built-in identity, the fake provider and agents that
answer: what unmodified clients are tried against."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import uvicorn

from tests.support import slot
from trove.api.app import create_app
from trove.services.identity import create_project, create_user, grant_role, issue_static
from trove.testing.world.api import World

PASSWORD = "a long secret of alice"


class Live:
    """A server and two people of the project demo: alice, a member, and root, an administrator."""

    def __init__(self, directory: Path, address: str | None = None) -> None:
        self.world = World(directory)
        installation = self.world.installation
        self.project_id = create_project(installation, "demo").id
        self.alice_id = self._person("alice", "member")
        self.root_id = self._person("root", "admin")
        self.token = self._token(self.alice_id)
        self.admin_token = self._token(self.root_id)
        address = address or slot.address(75, 2)
        config = uvicorn.Config(
            create_app(installation), host=address, port=0, log_level="warning", lifespan="off"
        )
        self.server = uvicorn.Server(config)
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.server.run),
            threading.Thread(target=self._work),
        ]
        for thread in self.threads:
            thread.start()
        while not self.server.started:
            self.stopping.wait(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://{address}:{port}"

    @property
    def auth_url(self) -> str:
        return f"{self.url}/identity/v3"

    @property
    def endpoint(self) -> str:
        return f"{self.url}/v1.0/{self.project_id}"

    def with_password(self, name: str = "alice") -> dict[str, str]:
        """The environment of a user who signs in with a password."""
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": name,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": "demo",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": "RegionOne",
            "OS_IDENTITY_API_VERSION": "3",
        }

    def with_token(self, admin: bool = False) -> dict[str, str]:
        """The environment of a user with a token, without an identity service."""
        return {
            "OS_AUTH_TYPE": "admin_token",
            "OS_ENDPOINT": self.endpoint,
            "OS_TOKEN": self.admin_token if admin else self.token,
        }

    def close(self) -> None:
        self.stopping.set()
        self.server.should_exit = True
        for thread in self.threads:
            thread.join(20)
        self.world.close()

    def _person(self, name: str, role: str) -> str:
        user = create_user(self.world.installation, name, PASSWORD)
        grant_role(self.world.installation, user.id, self.project_id, role)
        return str(user.id)

    def _token(self, user_id: str) -> str:
        lifetime = timedelta(hours=1)
        return issue_static(self.world.installation, user_id, self.project_id, lifetime).secret

    def _work(self) -> None:
        """The task manager: operations go on by themselves."""
        while not self.stopping.wait(0.1):
            self.world.settle()
