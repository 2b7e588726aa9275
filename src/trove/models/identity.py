"""The built-in identity: who may call, for installations without Keystone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trove.db import Base, Id, JsonObject, Prose, new_hex_id, new_id, utcnow


class Project(Base):
    """A tenant."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_hex_id)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class User(Base):
    """A user with a password, stored as an Argon2 hash."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=new_hex_id)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[Prose]
    default_project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RoleAssignment(Base):
    """What a user is in a project: `admin`, `member` or `reader`."""

    __tablename__ = "role_assignments"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(64), primary_key=True)


class ApplicationCredential(Base):
    """A secret that stands for a user in one project, and can be taken back alone."""

    __tablename__ = "application_credentials"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(255))
    unrestricted: Mapped[bool] = mapped_column(default=False)
    """Whether it may make and delete application credentials itself."""
    secret_hash: Mapped[Prose]
    roles: Mapped[list[str]] = mapped_column(JSON, default=list)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class Token(Base):
    """A token that was issued; only its SHA-256 digest is kept."""

    __tablename__ = "tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    """None for a token without a project, which is only good for requesting one with a project."""
    application_credential_id: Mapped[str | None] = mapped_column(
        ForeignKey("application_credentials.id"), index=True
    )
    """What it was issued for; it goes when the credential is taken back."""
    body: Mapped[JsonObject] = mapped_column(JSON)
    """The Keystone v3 `token` object that was answered, but for its catalog."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class LoginFailure(Base):
    """How often in a row a login went wrong, by whom it was for and where it came from."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256: the names that were tried are not kept readable."""
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(index=True)
