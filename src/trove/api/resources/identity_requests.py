"""Requests of the Keystone v3 API, as far as the built-in identity serves them.

https://docs.openstack.org/api-ref/identity/v3/; fields that are not listed are passed by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from trove.db import JsonObject
from trove.errors import Invalid, Unauthenticated
from trove.services.identity import (
    DOMAIN_ID,
    DOMAIN_NAME,
    CredentialProof,
    Identifier,
    NewCredential,
    PasswordProof,
    Proof,
    Scope,
    TokenProof,
)

# Answered like a wrong password, so that the answer does not reveal which domains and users exist.
UNKNOWN = Identifier(id="")
"""Matches no row: stands for what is named in a domain that does not exist."""

METHODS = ("password", "token", "application_credential")


def _storable(text: str) -> str:
    """What every database can compare: no NUL, and no half of a surrogate pair."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("must not have NUL or surrogate characters")
    return text


def _storable_secret(secret: SecretStr) -> SecretStr:
    _storable(secret.get_secret_value())
    return secret


Text = Annotated[str, AfterValidator(_storable)]
# pydantic quotes what it was given in its errors; a SecretStr shows itself as stars.
Secret = Annotated[SecretStr, AfterValidator(_storable_secret)]


class Domain(BaseModel):
    """There is one, which is meant when none is named."""

    id: Text | None = None
    name: Text | None = None

    @property
    def is_known(self) -> bool:
        return self.id == DOMAIN_ID or (self.id is None and self.name in {DOMAIN_NAME, None})


class Named(BaseModel):
    """A user or a project: by id, or by name in a domain."""

    id: Text | None = None
    name: Text | None = None
    domain: Domain = Domain()

    @property
    def identifier(self) -> Identifier:
        if self.id is not None:
            return Identifier(id=self.id)
        if self.name is None:
            raise Invalid("needs an id or a name", field="auth")
        return Identifier(name=self.name) if self.domain.is_known else UNKNOWN


class UserWithPassword(Named):
    password: Secret


class PasswordMethod(BaseModel):
    user: UserWithPassword


class TokenMethod(BaseModel):
    id: Secret


class CredentialMethod(BaseModel):
    id: Text | None = None
    name: Text | None = None
    user: Named | None = None
    secret: Secret


class Identity(BaseModel):
    methods: list[str] = Field(min_length=1)
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: CredentialMethod | None = None


class WantedScope(BaseModel):
    project: Named | None = None
    unscoped: JsonObject | None = None


class Auth(BaseModel):
    identity: Identity
    # Keystone's API knows both spellings of unscoped, the word and an object with an empty one.
    scope: WantedScope | Literal["unscoped"] | None = None


class AuthRequest(BaseModel):
    """POST /auth/tokens"""

    auth: Auth

    @property
    def proof(self) -> Proof:
        """Raises Invalid; Unauthenticated for a method that is not served."""
        identity = self.auth.identity
        # Several methods together mean more than one factor: one of them must not pass for all.
        if len(identity.methods) != 1 or identity.methods[0] not in METHODS:
            raise Unauthenticated(f"Authenticate by one of: {', '.join(METHODS)}.")
        if identity.methods == ["password"] and identity.password:
            user = identity.password.user
            return PasswordProof(user.identifier, user.password.get_secret_value())
        if identity.methods == ["token"] and identity.token:
            return TokenProof(identity.token.id.get_secret_value())
        if identity.methods == ["application_credential"] and identity.application_credential:
            return _credential_proof(identity.application_credential)
        raise Invalid("is missing", field=f"auth.identity.{identity.methods[0]}")

    @property
    def scope(self) -> Scope | None:
        """None leaves the choice to the service; raises Unauthenticated for other scopes."""
        wanted = self.auth.scope
        if wanted is None:
            return None
        if wanted == "unscoped" or wanted.unscoped is not None:
            return Scope()
        if wanted.project is None:
            raise Unauthenticated("Tokens are for a project, or unscoped.")
        return Scope(wanted.project.identifier)


def _credential_proof(method: CredentialMethod) -> CredentialProof:
    secret = method.secret.get_secret_value()
    if method.id is not None:
        # An id is one of all; a name is one of its user's only.
        return CredentialProof(Identifier(id=method.id), secret)
    if method.name is None or method.user is None:
        raise Invalid("needs an id, or a name and a user", field="auth.application_credential")
    return CredentialProof(Identifier(name=method.name), secret, method.user.identifier)


class RoleName(BaseModel):
    """Roles have their name as their id."""

    id: Text | None = None
    name: Text | None = None


class CredentialFields(BaseModel):
    name: Text
    description: Text | None = None
    secret: Secret | None = None
    expires_at: datetime | None = None
    roles: list[RoleName] = []
    unrestricted: bool | None = None
    access_rules: list[Any] | None = None


class CredentialRequest(BaseModel):
    """POST /users/{id}/application_credentials"""

    application_credential: CredentialFields

    @property
    def new_credential(self) -> NewCredential:
        """Raises Invalid for access rules: a rule that is not enforced must not be promised."""
        fields = self.application_credential
        if fields.access_rules:
            raise Invalid("are not served by the built-in identity", field="access_rules")
        expires_at = fields.expires_at
        if expires_at and expires_at.tzinfo is None:
            expires_at = expires_at.replace(tzinfo=UTC)
        return NewCredential(
            name=fields.name,
            secret=fields.secret.get_secret_value() if fields.secret else None,
            description=fields.description,
            roles=[role.name or role.id or "" for role in fields.roles],
            expires_at=expires_at,
            unrestricted=bool(fields.unrestricted),
        )


class Passwords(BaseModel):
    password: Secret
    original_password: Secret


class PasswordRequest(BaseModel):
    """POST /users/{id}/password"""

    user: Passwords
