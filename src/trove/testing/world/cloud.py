"""Level three: an installation with its recipes, the fake provider, and agents that answer.

Agents speak to a real conductor. Requests are made with `services`, and carried out with `drain`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trove.conductor import create_app as conductor_of
from trove.engine import Operation, active_of, ensure_periodic
from trove.models import Datastore, DatastoreVersion, QuotaUsage
from trove.providers.base import Capability
from trove.providers.fake import FakeWorld, Switches, provider_of
from trove.services import instances
from trove.services.installation import Caller, Installation
from trove.services.instance_order import InstanceOrder
from trove.settings import Settings
from trove.taskmanager.service import environment_of, record_end
from trove.testing.agent import FakeAgents
from trove.testing.calls import AppCalls
from trove.testing.world.metadata import Metadata, metadata_in
from trove.testing.world.operations import Operations
from trove.vault import Vault
from trove.workflows import PERIODIC, WORKFLOWS
from trove.workflows.context import Context

KEY = b"c29tZSBrZXkgb2YgMzIgYnl0ZXMsIGJhc2U2NCBvayE="


@dataclass(frozen=True)
class Version:
    """A datastore with one version."""

    datastore_id: str
    datastore: str
    id: str
    name: str
    number: str
    is_default: bool = False


POSTGRESQL = Version("ds-1", "postgresql", "v-1", "15", "15.20")
MARIADB = Version("ds-2", "mariadb", "v-2", "10.11", "10.11.19")


class Cloud(Operations):
    """Instances are made of records, and agents keep their accounts in memory."""

    def __init__(
        self,
        directory: Path,
        metadata: Metadata | None = None,
        *,
        settings: Callable[[Settings], Settings] = lambda plain: plain,
        versions: Sequence[Version] = (POSTGRESQL,),
        switches: Switches | None = None,
        capabilities: frozenset[Capability] = frozenset({Capability.ONLINE_VOLUME_GROW}),
    ) -> None:
        super().__init__(metadata or metadata_in(directory), WORKFLOWS)
        self.settings: Settings = settings(Settings(state_directory=directory))
        self.world = FakeWorld(hook=self.point, switches=switches)
        self.provider = provider_of(self.world, capabilities)
        self.installation = Installation(
            self.settings,
            self.database,
            Vault(KEY),
            self.provider.catalog,
            clock=self.metadata.clock,
        )
        self.agents = FakeAgents(self.world, AppCalls(conductor_of(self.installation)))
        self.answers = True
        """Whether agents answer while operations are carried out."""
        self.on_end = record_end
        self.register(*versions)
        self.caller = Caller("project-1", "user-1", request_id="req-1")

    def context_of(self, session: Session, operation: Operation) -> Context[Any]:
        return Context(session, operation, environment_of(self.installation, self.provider))

    def react(self) -> None:
        if self.answers:
            self.agents.run()

    def register(self, *versions: Version) -> None:
        """Offer them to everyone."""
        with self.database.begin() as session:
            for each in versions:
                datastore = Datastore(id=each.datastore_id, name=each.datastore)
                session.add(datastore)
                session.flush()
                version = DatastoreVersion(
                    id=each.id,
                    datastore=datastore,
                    name=each.name,
                    number=each.number,
                    manager=each.datastore,
                )
                session.add(version)
                session.flush()
                datastore.default_version_id = each.id if each.is_default else None

    def start_rounds(self, *names: str) -> None:
        """Start these periodic workflows, or every one."""
        for name in names or PERIODIC:
            ensure_periodic(self.database, WORKFLOWS[name], clock=self.clock)

    def order(self, **fields: Any) -> str:
        """An instance that is being built; its id."""
        known: dict[str, Any] = {"name": "db", "flavor_id": "2", "volume_size": 1}
        order = InstanceOrder(**(known | fields))
        return instances.create(self.installation, self.caller, order).row.id

    def built(self, **fields: Any) -> str:
        """An instance that works; its id."""
        instance_id = self.order(**fields)
        self.drain()
        self.reset()
        return instance_id

    def show(self, instance_id: str) -> Any:
        return instances.show(self.installation, self.caller, instance_id)

    def words(self, instance_id: str) -> tuple[str, str]:
        """Its status and its operating status."""
        view = self.show(instance_id)
        return view.status, view.operating_status

    def last_operation(self, instance_id: str) -> Operation:
        with self.database.session() as session:
            mine = select(Operation).where(Operation.subject_id == instance_id)
            found = session.scalars(
                mine.order_by(Operation.created_at.desc(), Operation.id).limit(1)
            )
            return found.one()

    def busy_with(self, instance_id: str) -> Operation | None:
        with self.database.session() as session:
            return active_of(session, instance_id)

    def used(self) -> dict[str, int]:
        """Quota in use, without what is zero."""
        with self.database.session() as session:
            return {u.resource: u.in_use for u in session.scalars(select(QuotaUsage)) if u.in_use}
