"""What the agents' calls do in the metadata database: plain functions, one transaction each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from trove.errors import Unauthenticated
from trove.models import Instance
from trove.protocol import (
    CertificateAnswer,
    CertificateRequest,
    EnrolAnswer,
    EnrolRequest,
    SyncRequest,
    TaskRequest,
)
from trove.services import agents
from trove.services.authority import RENEW_AFTER, Authority, load_authority
from trove.services.installation import Installation


@dataclass(frozen=True)
class Desk:
    """Serves agents from one installation. Every call may be made from any thread."""

    installation: Installation

    def enrol(self, request: EnrolRequest) -> EnrolAnswer:
        """Raises Unauthenticated, Invalid, or NotFound for an instance that was deleted."""
        with self.installation.database.begin() as session:
            enrolled = agents.enrol(session, request, self.installation.clock)
        return EnrolAnswer(enrolled.instance_id, enrolled.credential, self.report_seconds)

    def certify(self, credential: str, request: CertificateRequest) -> CertificateAnswer:
        """Raises as `identify` does, and Invalid when the request can not be signed."""
        with self.installation.database.session() as session:
            instance_id = agents.identify(session, credential)
            now = self.installation.clock.now(session)
            address = session.scalar(select(Instance.address).where(Instance.id == instance_id))
        authority = self._authority
        signed = authority.sign(request.csr, instance_id, address, now=now)
        return CertificateAnswer(signed, authority.pem, RENEW_AFTER.total_seconds())

    def receive(self, credential: str, request: SyncRequest) -> tuple[str, list[TaskRequest]]:
        """Keep what the agent tells; the id of its instance, and what it is to do."""
        around = self.installation
        with around.database.begin() as session:
            instance_id = agents.identify(session, credential)
            agents.receive(session, instance_id, request, around.clock)
            orders = agents.pending_tasks_of(
                session, around.vault, instance_id, around.clock, busy=request.busy
            )
        return instance_id, orders

    def orders(self, instance_id: str, busy: Collection[str]) -> list[TaskRequest]:
        """What one agent is to do by now."""
        around = self.installation
        with around.database.begin() as session:
            return agents.pending_tasks_of(
                session, around.vault, instance_id, around.clock, busy=busy
            )

    def open_tasks(self) -> Sequence[tuple[str, str]]:
        """(instance id, task id) of everything that is to be done."""
        with self.installation.database.session() as session:
            return agents.open_tasks(session)

    def check(self) -> None:
        """Whether the metadata database answers; raises SQLAlchemyError."""
        with self.installation.database.session() as session:
            session.execute(select(1))

    @property
    def report_seconds(self) -> float:
        return self.installation.settings.timing.agent_heartbeat_time

    @property
    def _authority(self) -> Authority:
        return load_authority(self.installation.settings.authority)


def credential_in(header: str | None) -> str:
    """What an `Authorization: Bearer` header holds; raises Unauthenticated."""
    scheme, _, credential = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthenticated("Show the agent's credential: Authorization: Bearer ...")
    return credential.strip()
