"""What the agents' calls do in the metadata database: plain functions, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import Session

from trove.db import is_conflict
from trove.errors import Unauthenticated
from trove.models import Agent, Instance
from trove.protocol import (
    CertificateAnswer,
    CertificateRequest,
    EnrolAnswer,
    EnrolRequest,
    SyncAnswer,
    SyncRequest,
)
from trove.services import agents
from trove.services.agent_reports import keep_reports
from trove.services.authority import RENEW_AFTER, Authority, load_authority
from trove.services.installation import Installation
from trove.services.senders import Sender, identify, senders_of

Call = tuple[str, SyncRequest]
"""A credential, and what its bearer sent."""


@dataclass(frozen=True)
class AgentCalls:
    """Serves agents from one installation. Every call may be made from any thread."""

    installation: Installation

    def enrol(self, request: EnrolRequest) -> EnrolAnswer:
        """Raises Unauthenticated, Invalid, or NotFound for an instance that was deleted."""
        with self.installation.database.begin() as session:
            enrolled = agents.enrol(session, request, self.installation.clock)
        return EnrolAnswer(enrolled.instance_id, enrolled.credential, self.report_seconds)

    def certify(self, credential: str, request: CertificateRequest) -> CertificateAnswer:
        """Raises as `identify` does, and Invalid when the request cannot be signed."""
        with self.installation.database.session() as session:
            instance_id = identify(session, credential)
            now = self.installation.clock.now(session)
            address = session.scalar(select(Instance.address).where(Instance.id == instance_id))
        authority = self._authority
        signed = authority.sign(request.csr, instance_id, address, now=now)
        with self.installation.database.begin() as session:
            own = update(Agent).where(Agent.instance_id == instance_id)
            session.execute(own.values(certificate=signed))
        return CertificateAnswer(signed, authority.pem, RENEW_AFTER.total_seconds())

    def store(self, calls: Sequence[Call]) -> Sequence[Sender | Exception]:
        """Store the reports of these calls in one transaction: for each its sender, or the error
        to answer it with."""
        try:
            with self.installation.database.begin() as session:
                senders = senders_of(session, [credential for credential, _ in calls])
                known = [
                    (sender, request)
                    for sender, (_, request) in zip(senders, calls, strict=True)
                    if isinstance(sender, Sender)
                ]
                keep_reports(session, known, self.installation.clock)
        except (DBAPIError, ValueError) as error:
            if len(calls) > 1 and _is_of_one(error):
                return [outcome for call in calls for outcome in self.store([call])]
            return [error] * len(calls)
        return senders

    def receive(self, instance_id: str, request: SyncRequest) -> SyncAnswer:
        """Store the results that an agent sent; the answer to its call as of now."""
        with self.installation.database.begin() as session:
            agents.receive(session, instance_id, request, self.installation.clock)
            return self._answer(session, instance_id, request)

    def nothing(self) -> SyncAnswer:
        """The answer when there is nothing to do."""
        return SyncAnswer([], self.report_seconds)

    def pending(self, instance_id: str, request: SyncRequest, held: float) -> SyncAnswer:
        """The answer to the same call, so many seconds later."""
        with self.installation.database.begin() as session:
            return self._answer(session, instance_id, request, held)

    def open_tasks(self) -> Sequence[agents.OpenTask]:
        """Everything that is to be done."""
        with self.installation.database.session() as session:
            return agents.open_tasks(session, self.installation.clock)

    def check(self) -> None:
        """Whether the metadata database answers; raises SQLAlchemyError."""
        with self.installation.database.session() as session:
            session.execute(select(1))

    def _answer(
        self, session: Session, instance_id: str, request: SyncRequest, held: float = 0.0
    ) -> SyncAnswer:
        inst = self.installation
        tasks, withdrawn = agents.answer_of(
            session,
            inst.vault,
            instance_id,
            inst.clock,
            busy=request.busy,
            watched=watched_in(request),
            settling=request.settling,
            held=held,
        )
        return SyncAnswer(tasks, self.report_seconds, withdrawn)

    @property
    def report_seconds(self) -> float:
        return self.installation.settings.timing.agent_heartbeat_time

    @property
    def _authority(self) -> Authority:
        return load_authority(self.installation.settings.authority)


def watched_in(request: SyncRequest) -> set[str]:
    """The tasks whose withdrawal this agent is to learn.

    None for an agent of the first release: it would be busy with the same task in its next call,
    too, which would be answered at once, and so on.
    """
    if not request.accepts_withdrawal:
        return set()
    return set(request.busy) - {result.id for result in request.results}


def is_report_alone(request: SyncRequest) -> bool:
    """Whether there is nothing in it but a report."""
    return not (request.results or request.progress or request.busy or request.settling)


def credential_in(header: str | None) -> str:
    """What an `Authorization: Bearer` header holds; raises Unauthenticated."""
    scheme, _, credential = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthenticated("Send the agent's credential: Authorization: Bearer ...")
    return credential.strip()


def _is_of_one(error: Exception) -> bool:
    """Whether one of several calls may be the cause, rather than the database."""
    return not isinstance(error, DBAPIError) or isinstance(error, DataError) or is_conflict(error)
