"""Proofs of identity: a password, an application credential, a token.

Law: a proof that does not hold raises one and the same error after one and the same time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from trove.errors import Unauthenticated
from trove.models import ApplicationCredential, Project, Token, User
from trove.services.identity import throttle
from trove.services.identity.directory import Identifier, user_of
from trove.services.identity.passwords import is_right
from trove.services.installation import Installation


@dataclass(frozen=True)
class PasswordProof:
    """A user's password."""

    user: Identifier
    secret: str = field(repr=False)


@dataclass(frozen=True)
class CredentialProof:
    """An application credential: by id, or by its name and its user."""

    credential: Identifier
    secret: str = field(repr=False)
    user: Identifier = Identifier()


@dataclass(frozen=True)
class TokenProof:
    """A token that is still good."""

    secret: str = field(repr=False)


Proof = PasswordProof | CredentialProof | TokenProof


@dataclass(frozen=True)
class Grant:
    """What a proof has shown."""

    user: User
    method: str
    credential: ApplicationCredential | None = None
    bound_to: Identifier | None = None
    """The one project that a token for this proof may be for."""
    expires_at: datetime | None = None
    """When the proof itself ends, and with it all that is issued for it."""
    methods: tuple[str, ...] = ()

    @property
    def secret_hash(self) -> str:
        return self.credential.secret_hash if self.credential else self.user.password_hash

    def is_good(self, now: datetime) -> bool:
        return self.user.enabled and (self.expires_at is None or self.expires_at > now)


def grant_of(installation: Installation, proof: Proof, source: str) -> Grant:
    """What the proof shows; raises Unauthenticated, and RateLimited after too many failures."""
    if isinstance(proof, TokenProof):
        return _grant_of_token(installation, proof)
    with installation.database.session() as session:
        claimed = _claimed(session, proof)
        now = installation.clock.now(session)
    subject = throttle.subject_of(_key_of(claimed, proof), source)
    throttle.check(installation, subject)
    right = is_right(proof.secret, claimed.secret_hash if claimed else None)
    if claimed is None or not right or not claimed.is_good(now):
        throttle.failed(installation, subject)
        raise Unauthenticated
    throttle.succeeded(installation, subject)
    return claimed


def token_row(session: Session, secret: str, now: datetime) -> Token | None:
    """The token, if it is still good, and so are its user and its project."""
    query = (
        select(Token)
        .join(User, User.id == Token.user_id)
        .outerjoin(Project, Project.id == Token.project_id)
        .where(
            Token.digest == digest_of(secret),
            Token.expires_at > now,
            User.enabled,
            (Token.project_id.is_(None)) | (Project.enabled),
        )
    )
    return session.scalars(query).first()


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key_of(claimed: Grant | None, proof: PasswordProof | CredentialProof) -> str:
    """By whom failures are counted: the same for every spelling that finds the same row."""
    if claimed is None:
        return repr(proof)
    return claimed.credential.id if claimed.credential else claimed.user.id


def _claimed(session: Session, proof: PasswordProof | CredentialProof) -> Grant | None:
    """What the proof would show if its secret were right."""
    if isinstance(proof, PasswordProof):
        user = user_of(session, proof.user)
        return Grant(user, "password") if user else None
    credential = _credential_of(session, proof)
    if credential is None:
        return None
    return Grant(
        session.get_one(User, credential.user_id),
        "application_credential",
        credential,
        bound_to=Identifier(id=credential.project_id),
        expires_at=credential.expires_at,
    )


def _credential_of(session: Session, proof: CredentialProof) -> ApplicationCredential | None:
    if proof.credential.id is not None:
        return session.get(ApplicationCredential, proof.credential.id)
    user = user_of(session, proof.user)
    return session.scalars(
        select(ApplicationCredential).where(
            ApplicationCredential.name == proof.credential.name,
            ApplicationCredential.user_id == (user.id if user else None),
        )
    ).first()


def _grant_of_token(installation: Installation, proof: TokenProof) -> Grant:
    with installation.database.session() as session:
        token = token_row(session, proof.secret, installation.clock.now(session))
        if token is None:
            raise Unauthenticated
        user = session.get_one(User, token.user_id)
        credential_id = token.application_credential_id
        credential = session.get(ApplicationCredential, credential_id) if credential_id else None
    return Grant(
        user,
        "token",
        credential,
        bound_to=Identifier(id=token.project_id) if credential else None,
        expires_at=token.expires_at,
        methods=tuple(token.body["methods"]),
    )
