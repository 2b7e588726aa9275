"""Users, projects, roles, tokens and credentials of the built-in identity.

Law: a secret comes from standard input or a prompt, never from the command line, where other
processes can read it; a generated one is printed once.
"""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta

from sqlalchemy.orm import Session

from trove.cli.command import Command, arg
from trove.cli.manage.operator import opened, read_secret
from trove.cli.table import print_table
from trove.errors import Invalid, NotFound
from trove.models import Project, User
from trove.services import identity
from trove.services.identity import Identifier, NewCredential
from trove.services.installation import Installation
from trove.settings import Settings


def create_project(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        print(identity.create_project(installation, args.name).id)


def list_projects(settings: Settings, _: Namespace) -> None:
    with opened(settings) as installation:
        found = identity.list_projects(installation)
    print_table(("ID", "Name", "Enabled"), [(row.id, row.name, row.enabled) for row in found])


def create_user(settings: Settings, args: Namespace) -> None:
    if args.role and not args.project:
        raise Invalid("a role belongs to a project: name it with --project", field="--role")
    with opened(settings) as installation:
        project = _project(installation, args.project) if args.project else None
        # Before any change: a user without the role would block the next attempt.
        for role in args.role:
            identity.check_role(installation, role)
        password = _password(args)
        user = identity.create_user(
            installation, args.name, password, default_project_id=project.id if project else None
        )
        for role in args.role if project else ():
            identity.grant_role(installation, user.id, project.id if project else "", role)
    print(user.id)
    _print_generated(args, password)


def list_users(settings: Settings, _: Namespace) -> None:
    with opened(settings) as installation:
        found = identity.list_users(installation)
    print_table(("ID", "Name", "Enabled"), [(row.id, row.name, row.enabled) for row in found])


def set_password(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        user = _user(installation, args.user)
        password = _password(args)
        identity.set_password(installation, user.id, password)
    _print_generated(args, password)


def enable_user(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        identity.set_user_enabled(installation, _user(installation, args.user).id, True)


def disable_user(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        identity.set_user_enabled(installation, _user(installation, args.user).id, False)


def add_role(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, args.user), _project(installation, args.project)
        identity.grant_role(installation, user.id, project.id, args.role)


def remove_role(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, args.user), _project(installation, args.project)
        identity.revoke_role(installation, user.id, project.id, args.role)


def create_token(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, args.user), _project(installation, args.project)
        with installation.database.session() as session:
            _must_have_a_role(session, user, project)
        lifetime = timedelta(days=args.days)
        print(identity.issue_static(installation, user.id, project.id, lifetime).secret)


def create_credential(settings: Settings, args: Namespace) -> None:
    with opened(settings) as installation:
        user, project = _user(installation, args.user), _project(installation, args.project)
        with installation.database.session() as session:
            now = installation.clock.now(session)
        wanted = NewCredential(
            name=args.name,
            roles=args.role,
            expires_at=now + timedelta(days=args.days) if args.days else None,
            unrestricted=args.unrestricted,
        )
        made, secret = identity.create_credential(installation, user.id, project.id, wanted)
    print(f"id: {made.id}\nsecret: {secret}")


def _user(installation: Installation, name: str) -> User:
    """By name or id; raises NotFound."""
    with installation.database.session() as session:
        found = identity.user_of(session, Identifier(name=name))
        # Names first: users mostly type names.
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
        message = f"{user.name!r} has no role in {project.name!r}; see `trove-manage role_add`"
        raise NotFound(message)


def _password(args: Namespace) -> str:
    # Not an option, which would be in the process list and the shell history.
    return identity.new_password() if args.generate else read_secret("Password")


def _print_generated(args: Namespace, password: str) -> None:
    """A generated password is shown once."""
    if args.generate:
        print(f"password: {password}")


_USER = arg("user", help="name or id")
_PROJECT = arg("project", help="name or id")
_ROLE = arg("role", help="admin, member, reader, or another of admin_roles")
_GENERATE = arg("--generate", action="store_true", help="generate a password and print it once")
_ROLES = {"action": "append", "default": [], "metavar": "ROLE"}

COMMANDS = (
    Command(
        "project_create",
        "Create a project and print its id.",
        "trove-manage project_create shop",
        (arg("name"),),
        create_project,
    ),
    Command("project_list", "List the projects.", "trove-manage project_list", (), list_projects),
    Command(
        "user_create",
        "Create a user and print its id; the password is read from standard input.",
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
        "Set the password of a user, read from standard input, and revoke every token.",
        "trove-manage user_password anna < password-file",
        (_USER, _GENERATE),
        set_password,
    ),
    Command(
        "user_enable", "Enable a user.", "trove-manage user_enable anna", (_USER,), enable_user
    ),
    Command(
        "user_disable",
        "Disable a user, and revoke every token.",
        "trove-manage user_disable anna",
        (_USER,),
        disable_user,
    ),
    Command(
        "role_add",
        "Grant a user a role in a project.",
        "trove-manage role_add anna shop member",
        (_USER, _PROJECT, _ROLE),
        add_role,
    ),
    Command(
        "role_remove",
        "Revoke a role, and the tokens issued with it.",
        "trove-manage role_remove anna shop admin",
        (_USER, _PROJECT, _ROLE),
        remove_role,
    ),
    Command(
        "token_create",
        "Print a long-lived token, for scripts that cannot sign in.",
        "trove-manage token_create anna shop --days 90",
        (_USER, _PROJECT, arg("--days", type=int, default=365, help="%(default)s")),
        create_token,
    ),
    Command(
        "credential_create",
        "Create an application credential and print its secret once.",
        "trove-manage credential_create anna shop nightly-job --role reader --days 90",
        (
            _USER,
            _PROJECT,
            arg("name"),
            arg("--role", help="default: all roles of the user (repeatable)", **_ROLES),
            arg("--days", type=int, help="until it expires; by default never"),
            arg("--unrestricted", action="store_true", help="may create credentials itself"),
        ),
        create_credential,
    ),
)
