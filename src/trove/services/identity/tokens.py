"""Issues tokens for proofs of identity, and checks and revokes them.

A token is 256 random bits; the metadata database has only its SHA-256 digest, so neither a backup
nor a reader of the database can use a token.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from trove.db import JsonObject
from trove.errors import Unauthenticated
from trove.models import Project, Token, User
from trove.services.identity.directory import (
    DOMAIN_ID,
    DOMAIN_NAME,
    Identifier,
    project_of,
    roles_of,
    set_password,
)
from trove.services.identity.proofs import (
    Grant,
    PasswordProof,
    Proof,
    digest_of,
    grant_of,
    token_row,
)
from trove.services.installation import Installation

DOMAIN = {"id": DOMAIN_ID, "name": DOMAIN_NAME}


@dataclass(frozen=True)
class Scope:
    """For which project a token is wanted; without one, for none."""

    project: Identifier | None = None


@dataclass(frozen=True)
class IssuedToken:
    """A token, and the Keystone v3 `token` object that describes it, without a catalog."""

    secret: str = field(repr=False)
    user_id: str
    project_id: str | None
    body: JsonObject
    expires_at: datetime

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(role["name"] for role in self.body.get("roles", ()))


def issue(
    installation: Installation, proof: Proof, scope: Scope | None = None, *, source: str = ""
) -> IssuedToken:
    """A token for the user whom the proof identifies.

    Without a scope it is for the user's default project, if there is one. `source` is the
    address of the client, by which wrong logins are counted. Raises Unauthenticated, which does
    not say why, and RateLimited.
    """
    grant = grant_of(installation, proof, source)
    with installation.database.begin() as session:
        now = installation.clock.now(session)
        project = _project_for(session, grant, scope)
        roles = _roles_for(session, grant, project)
        expires_at = now + timedelta(seconds=installation.settings.api.token_seconds)
        expires_at = min(expires_at, grant.expires_at or expires_at)
        _clear_expired(session, grant.user.id, now)
        return _write(session, grant, project, roles, (now, expires_at))


def issue_static(
    installation: Installation, user_id: str, project_id: str, lifetime: timedelta
) -> IssuedToken:
    """A long-lived token, made by an operator; raises Unauthenticated without a role."""
    with installation.database.begin() as session:
        now = installation.clock.now(session)
        grant = Grant(session.get_one(User, user_id), "token")
        project = _project_for(session, grant, Scope(Identifier(id=project_id)))
        roles = _roles_for(session, grant, project)
        return _write(session, grant, project, roles, (now, now + lifetime))


def validate(installation: Installation, secret: str) -> IssuedToken:
    """What a token that is still good says; raises Unauthenticated."""
    with installation.database.session() as session:
        row = token_row(session, secret, installation.clock.now(session))
    if row is None:
        raise Unauthenticated
    return IssuedToken(secret, row.user_id, row.project_id, row.body, row.expires_at)


def revoke(installation: Installation, secret: str) -> None:
    """End a token; succeeds if it has ended."""
    with installation.database.begin() as session:
        session.execute(delete(Token).where(Token.digest == digest_of(secret)))


def change_password(
    installation: Installation, user_id: str, present: str, new: str, *, source: str = ""
) -> None:
    """Let a user who knows the present password have another; raises Unauthenticated."""
    grant_of(installation, PasswordProof(Identifier(id=user_id), present), source)
    set_password(installation, user_id, new)


def _project_for(session: Session, grant: Grant, scope: Scope | None) -> Project | None:
    """The project that a token shall be for; raises Unauthenticated if it cannot be."""
    wanted = scope.project if scope else _default_of(session, grant)
    if wanted is None:
        return None
    project = project_of(session, wanted)
    if project is None or not project.enabled:
        raise Unauthenticated
    if grant.bound_to and project.id != grant.bound_to.id:
        raise Unauthenticated
    return project


def _default_of(session: Session, grant: Grant) -> Identifier | None:
    if grant.bound_to:
        return grant.bound_to
    default = grant.user.default_project_id
    if default is None or not roles_of(session, grant.user.id, default):
        return None
    return Identifier(id=default)


def _roles_for(session: Session, grant: Grant, project: Project | None) -> list[str]:
    """Raises Unauthenticated for a project in which the user is nothing (any more)."""
    if project is None:
        return []
    roles = roles_of(session, grant.user.id, project.id)
    if grant.credential:
        if not set(grant.credential.roles) <= set(roles):
            raise Unauthenticated
        return sorted(grant.credential.roles)
    if not roles:
        raise Unauthenticated
    return roles


def _clear_expired(session: Session, user_id: str, now: datetime) -> None:
    session.execute(delete(Token).where(Token.user_id == user_id, Token.expires_at <= now))


def _write(
    session: Session,
    grant: Grant,
    project: Project | None,
    roles: Sequence[str],
    span: tuple[datetime, datetime],
) -> IssuedToken:
    secret = secrets.token_urlsafe(32)
    body = _body(grant, project, roles, span)
    token = Token(
        digest=digest_of(secret),
        user_id=grant.user.id,
        project_id=project.id if project else None,
        application_credential_id=grant.credential.id if grant.credential else None,
        body=body,
        expires_at=span[1],
        created_at=span[0],
    )
    session.add(token)
    return IssuedToken(secret, token.user_id, token.project_id, body, span[1])


def _body(
    grant: Grant,
    project: Project | None,
    roles: Sequence[str],
    span: tuple[datetime, datetime],
) -> JsonObject:
    """https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management"""
    user = grant.user
    body: JsonObject = {
        "methods": sorted({grant.method, *grant.methods}),
        "user": {
            "id": user.id,
            "name": user.name,
            "domain": DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": [secrets.token_urlsafe(16)],
        "issued_at": f"{span[0]:%Y-%m-%dT%H:%M:%S.%fZ}",
        "expires_at": f"{span[1]:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    if project:
        body["project"] = {"id": project.id, "name": project.name, "domain": DOMAIN}
        body["is_domain"] = False
        body["roles"] = [{"id": role, "name": role} for role in roles]
    if grant.credential:
        body["application_credential"] = {
            "id": grant.credential.id,
            "name": grant.credential.name,
            "restricted": not grant.credential.unrestricted,
        }
    return body
