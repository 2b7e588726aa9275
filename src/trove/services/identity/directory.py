"""Users, projects and who is what where.

Law: a user who loses a role, a password or the right to log in also loses the tokens issued by it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trove.errors import AlreadyExists, Invalid, NotFound
from trove.models import Project, RoleAssignment, Token, User
from trove.services.identity.passwords import hash_of
from trove.services.installation import Installation

DOMAIN_ID = "default"
DOMAIN_NAME = "Default"
ROLES = ("admin", "member", "reader")
LONGEST_NAME = 255
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 4096


@dataclass(frozen=True)
class Identifier:
    """A user or project as clients and operators name it: by id, or by name."""

    id: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return self.id or self.name or ""


def create_project(installation: Installation, name: str) -> Project:
    """A new project; raises Invalid or AlreadyExists."""
    project = Project(name=_checked_name(name))
    try:
        with installation.database.begin() as session:
            session.add(project)
    except IntegrityError:
        raise AlreadyExists(f"a project called {name!r} exists already", field="name") from None
    return project


def create_user(
    installation: Installation,
    name: str,
    password: str,
    *,
    default_project_id: str | None = None,
) -> User:
    """A new user without any role; raises Invalid or AlreadyExists."""
    user = User(
        name=_checked_name(name),
        password_hash=hash_of(_checked_password(password)),
        default_project_id=default_project_id,
    )
    try:
        with installation.database.begin() as session:
            session.add(user)
    except IntegrityError:
        raise AlreadyExists(f"a user called {name!r} exists already", field="name") from None
    return user


def new_password() -> str:
    """A random password."""
    return secrets.token_urlsafe(18)


def set_password(installation: Installation, user_id: str, password: str) -> None:
    """Give a user another password and end every token of the user."""
    digest = hash_of(_checked_password(password))
    with installation.database.begin() as session:
        session.get_one(User, user_id).password_hash = digest
        session.execute(delete(Token).where(Token.user_id == user_id))


def set_user_enabled(installation: Installation, user_id: str, enabled: bool) -> None:
    """Let a user log in, or not; one who may not loses every token."""
    with installation.database.begin() as session:
        session.get_one(User, user_id).enabled = enabled
        if not enabled:
            session.execute(delete(Token).where(Token.user_id == user_id))


def grant_role(installation: Installation, user_id: str, project_id: str, role: str) -> None:
    """Succeeds if the user has the role already; raises Invalid for a role that nothing uses."""
    check_role(installation, role)
    with installation.database.begin() as session:
        session.merge(RoleAssignment(user_id=user_id, project_id=project_id, role=role))


def check_role(installation: Installation, role: str) -> None:
    """Raises Invalid for a role that is neither ours nor among the `admin_roles`."""
    known = dict.fromkeys((*ROLES, *installation.settings.api.admin_roles))
    if role not in known:
        raise Invalid(f"there is no role {role!r}; there are: {', '.join(known)}", field="role")


def revoke_role(installation: Installation, user_id: str, project_id: str, role: str) -> None:
    """Take a role away, and the user's tokens for this project; raises NotFound."""
    with installation.database.begin() as session:
        assignment = session.get(RoleAssignment, (user_id, project_id, role))
        if assignment is None:
            raise NotFound(f"the user does not have the role {role!r} in this project")
        session.delete(assignment)
        session.execute(
            delete(Token).where(Token.user_id == user_id, Token.project_id == project_id)
        )


def list_users(installation: Installation) -> list[User]:
    with installation.database.session() as session:
        return list(session.scalars(select(User).order_by(User.name)))


def list_projects(installation: Installation, *, user_id: str | None = None) -> list[Project]:
    """Every project, or those in which a user has a role; by name."""
    query = select(Project).order_by(Project.name)
    if user_id is not None:
        mine = select(RoleAssignment.project_id).where(RoleAssignment.user_id == user_id)
        query = query.where(Project.id.in_(mine), Project.enabled)
    with installation.database.session() as session:
        return list(session.scalars(query))


def user_of(session: Session, identifier: Identifier) -> User | None:
    """The user with this id, or this name."""
    if identifier.id is not None:
        return session.get(User, identifier.id)
    return session.scalars(select(User).where(User.name == identifier.name)).first()


def project_of(session: Session, identifier: Identifier) -> Project | None:
    """The project with this id, or this name."""
    if identifier.id is not None:
        return session.get(Project, identifier.id)
    return session.scalars(select(Project).where(Project.name == identifier.name)).first()


def roles_of(session: Session, user_id: str, project_id: str) -> list[str]:
    """What the user is in the project, sorted."""
    query = select(RoleAssignment.role).where(
        RoleAssignment.user_id == user_id, RoleAssignment.project_id == project_id
    )
    return sorted(session.scalars(query))


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise Invalid(f"must have 1 to {LONGEST_NAME} characters", field="name")
    return name


def _checked_password(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        wanted = f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        raise Invalid(wanted, field="password")
    return password
