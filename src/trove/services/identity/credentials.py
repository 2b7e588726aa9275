"""Application credentials: a secret that stands for a user in one project, with some roles."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from trove.errors import AlreadyExists, Invalid, NotFound
from trove.models import ApplicationCredential, Token
from trove.services.identity.directory import ROLES, roles_of
from trove.services.identity.passwords import hash_of
from trove.services.installation import Installation

SHORTEST_SECRET = 8


@dataclass(frozen=True)
class NewCredential:
    """A credential to create."""

    name: str
    secret: str | None = None
    """By default a random one."""
    description: str | None = None
    roles: Sequence[str] = ()
    """By default every role that can be given."""
    expires_at: datetime | None = None
    unrestricted: bool = False


def create_credential(
    installation: Installation,
    user_id: str,
    project_id: str,
    wanted: NewCredential,
    *,
    within: Collection[str] = ROLES,
) -> tuple[ApplicationCredential, str]:
    """The credential, and its secret, which is shown this once.

    `within` are the roles of the token by which it is made, than which it must not be worth more.
    Raises Invalid for a role that is not among them, or not the user's, and AlreadyExists.
    """
    secret = wanted.secret or secrets.token_urlsafe(32)
    _check(wanted, secret)
    digest = hash_of(secret)
    try:
        with installation.database.begin() as session:
            own = [r for r in roles_of(session, user_id, project_id) if r in within]
            if missing := sorted(set(wanted.roles) - set(own)):
                raise Invalid(f"you do not have {', '.join(missing)} here", field="roles")
            if not own:
                raise Invalid("the user has no role in this project", field="project_id")
            if wanted.expires_at and wanted.expires_at <= installation.clock.now(session):
                raise Invalid("must lie in the future", field="expires_at")
            credential = ApplicationCredential(
                user_id=user_id,
                project_id=project_id,
                name=wanted.name,
                description=wanted.description,
                unrestricted=wanted.unrestricted,
                secret_hash=digest,
                roles=list(wanted.roles) or own,
                expires_at=wanted.expires_at,
            )
            session.add(credential)
    except IntegrityError:
        raise AlreadyExists(f"you have an application credential {wanted.name!r} already") from None
    return credential, secret


def list_credentials(installation: Installation, user_id: str) -> list[ApplicationCredential]:
    """A user's application credentials, by name."""
    query = select(ApplicationCredential).where(ApplicationCredential.user_id == user_id)
    with installation.database.session() as session:
        return list(session.scalars(query.order_by(ApplicationCredential.name)))


def delete_credential(installation: Installation, user_id: str, credential_id: str) -> None:
    """Take a credential back, with every token that it was traded for; raises NotFound."""
    with installation.database.begin() as session:
        credential = session.get(ApplicationCredential, credential_id)
        if credential is None or credential.user_id != user_id:
            raise NotFound(f"Could not find application credential: {credential_id}.")
        session.execute(delete(Token).where(Token.application_credential_id == credential_id))
        session.delete(credential)


def _check(wanted: NewCredential, secret: str) -> None:
    if not wanted.name.strip() or len(wanted.name) > 255:
        raise Invalid("must have 1 to 255 characters", field="name")
    if len(wanted.description or "") > 255:
        raise Invalid("must have at most 255 characters", field="description")
    if len(secret) < SHORTEST_SECRET:
        raise Invalid(f"must have at least {SHORTEST_SECRET} characters", field="secret")
