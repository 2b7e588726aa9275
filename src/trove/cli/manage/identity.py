"""Who may call: the built-in identity's users, projects, roles, tokens and credentials.

Law: a secret comes from standard input or a prompt, never from the command line, where other
processes see it; what is made here is printed once.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta

from sqlalchemy.orm import Session

from trove.cli.command import Command, arg
from trove.cli.manage.operator import opened, secret_from_operator
from trove.cli.table import print_table
from trove.errors import Invalid, NotFound
from trove.models import Project, User
from trove.services import identity
from trove.services.identity import Identifier, NewCredential
from trove.services.installation import Installation
from trove.settings import Settings


def create_project(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        print(identity.create_project(installation, asked.name).id)


def list_projects(settings: Settings, _: Namespace) -> None:
    with opened(settings) as installation:
        found = identity.list_projects(installation)
    print_table(("ID", "Name", "Enabled"), [(row.id, row.name, row.enabled) for row in found])


def create_user(settings: Settings, asked: Namespace) -> None:
    if asked.role and not asked.project:
        raise Invalid("a role is one in a project: name it with --project", field="--role")
    with opened(settings) as installation:
        project = _project(installation, asked.project) if asked.project else None
        # Before anything is made: a user without a role would be in the way of a second try.
        for role in asked.role:
            identity.check_role(installation, role)
        password = _password(asked)
        user = identity.create_user(
            installation, asked.name, password, default_project_id=project.id if project else None
        )
        for role in asked.role if project else ():
            identity.grant_role(installation, user.id, project.id if project else "", role)
    print(user.id)
    _tell(asked, password)


def list_users(settings: Settings, _: Namespace) -> None:
    with opened(settings) as installation:
        found = identity.list_users(installation)
    print_table(("ID", "Name", "Enabled"), [(row.id, row.name, row.enabled) for row in found])


def set_password(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        user = _user(installation, asked.user)
        password = _password(asked)
        identity.set_password(installation, user.id, password)
    _tell(asked, password)


def enable_user(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        identity.set_user_enabled(installation, _user(installation, asked.user).id, True)


def disable_user(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        identity.set_user_enabled(installation, _user(installation, asked.user).id, False)


def add_role(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, asked.user), _project(installation, asked.project)
        identity.grant_role(installation, user.id, project.id, asked.role)


def remove_role(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, asked.user), _project(installation, asked.project)
        identity.revoke_role(installation, user.id, project.id, asked.role)


def create_token(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, asked.user), _project(installation, asked.project)
        with installation.database.session() as session:
            _must_have_a_role(session, user, project)
        lifetime = timedelta(days=asked.days)
        print(identity.issue_static(installation, user.id, project.id, lifetime).secret)


def create_credential(settings: Settings, asked: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, asked.user), _project(installation, asked.project)
        with installation.database.session() as session:
            now = installation.clock.now(session)
        wanted = NewCredential(
            name=asked.name,
            roles=asked.role,
            expires_at=now + timedelta(days=asked.days) if asked.days else None,
            unrestricted=asked.unrestricted,
        )
        made, secret = identity.create_credential(installation, user.id, project.id, wanted)
    print(f"id: {made.id}\nsecret: {secret}")


def _user(installation: Installation, name: str) -> User:
    """By name or id; raises NotFound."""
    with installation.database.session() as session:
        found = identity.user_of(session, Identifier(name=name))
        # Names first: what is typed is a name nearly always.
        found = found or identity.user_of(session, Identifier(id=name))
    if found is None:
        raise NotFound(f"there is no user {name!r}; see `trove-manage user_list`")
    return found


def _project(installation: Installation, name: str) -> Project:
    """By name or id; raises NotFound."""
    with installation.database.session() as session:
        found = identity.project_of(session, Identifier(name=name))
        found = found or identity.project_of(session, Identifier(id=name))
    if found is None:
        raise NotFound(f"there is no project {name!r}; see `trove-manage project_list`")
    return found


def _must_have_a_role(session: Session, user: User, project: Project) -> None:
    if not identity.roles_of(session, user.id, project.id):
        told = f"{user.name!r} has no role in {project.name!r}; see `trove-manage role_add`"
        raise NotFound(told)


def _password(asked: Namespace) -> str:
    # No option takes one: it would stand in the list of processes and in the shell's history.
    return identity.new_password() if asked.generate else secret_from_operator("Password")


def _tell(asked: Namespace, password: str) -> None:
    """A password that nobody typed is shown this once."""
    if asked.generate:
        print(f"password: {password}")


_USER = arg("user", help="name or id")
_PROJECT = arg("project", help="name or id")
_ROLE = arg("role", help="admin, member, reader, or another of admin_roles")
_GENERATE = arg("--generate", action="store_true", help="make a password and print it once")
_ROLES = {"action": "append", "default": [], "metavar": "ROLE"}

COMMANDS = (
    Command(
        "project_create",
        "Make a project and print its id.",
        "trove-manage project_create shop",
        (arg("name"),),
        create_project,
    ),
    Command("project_list", "List the projects.", "trove-manage project_list", (), list_projects),
    Command(
        "user_create",
        "Make a user and print its id; the password is read from standard input.",
        "trove-manage user_create anna --project shop --role member --generate",
        (
            arg("name"),
            arg("--project", help="the default project"),
            arg("--role", help="in that project (may be repeated)", **_ROLES),
            _GENERATE,
        ),
        create_user,
    ),
    Command("user_list", "List the users.", "trove-manage user_list", (), list_users),
    Command(
        "user_password",
        "Give a user another password, read from standard input, and end every token.",
        "trove-manage user_password anna < password-file",
        (_USER, _GENERATE),
        set_password,
    ),
    Command(
        "user_enable", "Let a user log in.", "trove-manage user_enable anna", (_USER,), enable_user
    ),
    Command(
        "user_disable",
        "Let a user not log in, and end every token.",
        "trove-manage user_disable anna",
        (_USER,),
        disable_user,
    ),
    Command(
        "role_add",
        "Give a user a role in a project.",
        "trove-manage role_add anna shop member",
        (_USER, _PROJECT, _ROLE),
        add_role,
    ),
    Command(
        "role_remove",
        "Take a role away, and the tokens got with it.",
        "trove-manage role_remove anna shop admin",
        (_USER, _PROJECT, _ROLE),
        remove_role,
    ),
    Command(
        "token_create",
        "Print a token that lives long, for scripts that can not log in.",
        "trove-manage token_create anna shop --days 90",
        (_USER, _PROJECT, arg("--days", type=int, default=365, help="%(default)s")),
        create_token,
    ),
    Command(
        "credential_create",
        "Make an application credential and print its secret, this once.",
        "trove-manage credential_create anna shop nightly-job --role reader --days 90",
        (
            _USER,
            _PROJECT,
            arg("name"),
            arg("--role", help="by default all that the user has", **_ROLES),
            arg("--days", type=int, help="until it ends; by default it does not"),
            arg("--unrestricted", action="store_true", help="may make credentials itself"),
        ),
        create_credential,
    ),
)
