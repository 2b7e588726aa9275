"""What a service of its own needs before it can serve: made on the first start, kept afterwards."""

from __future__ import annotations

import logging
import secrets

from trove import migrations
from trove.cli.services.standalone.cloud import (
    CLOUD,
    cloud_of,
    ensure_entry,
    entries_of,
    renew,
    share,
    state_file,
    user_file,
)
from trove.datastores.discovery import installed_engines
from trove.db import Database
from trove.services import authority, identity
from trove.services.discovery import register
from trove.services.installation import Installation

log = logging.getLogger(__name__)

PROJECT = "default"
USER = "admin"
ROLES = ("admin", "member")


def prepare(installation: Installation) -> None:
    """Tables, certificate authority, an administrator, and the engines of this machine."""
    migrations.upgrade(installation.settings.url)
    authority.load_authority(installation.settings.authority)
    _ensure_administrator(installation)
    with installation.database.begin() as session:
        versions = register(session, installed_engines())
        # Read while the session is open.
        found = [f"{v.datastore.name} {v.number}" for v in versions]
    log.info("engines on this machine: %s", ", ".join(found) or "none")


def _ensure_administrator(installation: Installation) -> None:
    """A user who can log in. The password is in the file alone, which is written last."""
    settings = installation.settings
    file = state_file(settings)
    # Not whether there is a user: a start that was interrupted may have left one whose password
    # was never written.
    if CLOUD not in entries_of(file):
        password = secrets.token_urlsafe(24)
        project_id = _ensure_project(installation)
        user_id = _ensure_user(installation, password, project_id)
        for role in ROLES:
            identity.grant_role(installation, user_id, project_id, role)
        # The last thing: what comes before it can be done once more.
        ensure_entry(file, cloud_of(settings, USER, PROJECT, password))
    renew(settings)
    if not share(settings):
        log.warning(
            "%s has another cloud %r; use OS_CLIENT_CONFIG_FILE=%s", user_file(), CLOUD, file
        )


def _ensure_project(installation: Installation) -> str:
    found = _find(installation.database, PROJECT)
    return found or identity.create_project(installation, PROJECT).id


def _find(database: Database, name: str) -> str | None:
    with database.session() as session:
        project = identity.project_of(session, identity.Identifier(name=name))
    return project.id if project else None


def _ensure_user(installation: Installation, password: str, project_id: str) -> str:
    with installation.database.session() as session:
        user = identity.user_of(session, identity.Identifier(name=USER))
    if user is None:
        made = identity.create_user(installation, USER, password, default_project_id=project_id)
        return made.id
    # Of a start that was interrupted before it wrote the password.
    identity.set_password(installation, user.id, password)
    return user.id
