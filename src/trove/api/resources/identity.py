"""The built-in identity's answers, in the words of the Keystone v3 API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trove.models import ApplicationCredential, Project, User
from trove.services.identity import DOMAIN_ID, DOMAIN_NAME, ROLES, IssuedToken

Body = dict[str, Any]

UPDATED = "2020-01-01T00:00:00Z"
VERSION_ID = "v3.14"
MEDIA_TYPE = "application/vnd.openstack.identity-v3+json"


def version(base: str) -> Body:
    """The one version, as it stands in both version documents."""
    return {
        "id": VERSION_ID,
        "status": "stable",
        "updated": UPDATED,
        "links": [{"rel": "self", "href": f"{base}/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": MEDIA_TYPE}],
    }


def token(issued: IssuedToken, catalog: Sequence[Body] | None) -> Body:
    """A token with the catalog that goes with it; an unscoped one has none."""
    body = dict(issued.body)
    # Endpoints have the project in them: without a project there is nothing to be listed.
    if issued.project_id is not None and catalog is not None:
        body["catalog"] = list(catalog)
    return {"token": body}


def catalog(base: str, region: str, project_id: str | None) -> list[Body]:
    """Where the project finds what: this service, under its two names."""
    if project_id is None:
        return []
    return [
        _service("database", "trove", f"{base}/v1.0/{project_id}", region),
        _service("identity", "keystone", f"{base}/identity/v3", region),
    ]


def project(row: Project, base: str) -> Body:
    return {
        "id": row.id,
        "name": row.name,
        "description": "",
        "domain_id": DOMAIN_ID,
        # As Keystone has it for projects that are below no other.
        "parent_id": DOMAIN_ID,
        "enabled": row.enabled,
        "is_domain": False,
        "options": {},
        "tags": [],
        "links": {"self": f"{base}/identity/v3/projects/{row.id}"},
    }


def user(row: User, base: str) -> Body:
    return {
        "id": row.id,
        "name": row.name,
        "domain_id": DOMAIN_ID,
        "default_project_id": row.default_project_id,
        "enabled": row.enabled,
        "password_expires_at": None,
        "options": {},
        "links": {"self": f"{base}/identity/v3/users/{row.id}"},
    }


def domain(base: str) -> Body:
    return {
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "description": "The one domain of this installation",
        "enabled": True,
        "options": {},
        "tags": [],
        "links": {"self": f"{base}/identity/v3/domains/{DOMAIN_ID}"},
    }


def role(name: str, base: str) -> Body:
    links = {"self": f"{base}/identity/v3/roles/{name}"}
    return {
        "id": name,
        "name": name,
        "domain_id": None,
        "description": None,
        "options": {},
        "links": links,
    }


def roles(base: str) -> list[Body]:
    return [role(name, base) for name in ROLES]


def credential(row: ApplicationCredential, base: str, secret: str | None = None) -> Body:
    """The secret is shown when the credential is created, and never again."""
    path = f"/identity/v3/users/{row.user_id}/application_credentials/{row.id}"
    body = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "project_id": row.project_id,
        "roles": [{"id": name, "name": name, "domain_id": None} for name in row.roles],
        "expires_at": _moment(row.expires_at),
        "unrestricted": row.unrestricted,
        "system": None,
        "links": {"self": f"{base}{path}"},
    }
    return body | ({"secret": secret} if secret is not None else {})


def listed(key: str, items: Sequence[Body], url: str) -> Body:
    return {key: list(items), "links": {"self": url, "next": None, "previous": None}}


def _service(kind: str, name: str, url: str, region: str) -> Body:
    endpoints = [
        {
            "id": f"{kind}-{interface}",
            "interface": interface,
            "region": region,
            # Older clients read `region`, newer ones `region_id`.
            "region_id": region,
            "url": url,
        }
        # There is one address; clients look it up under any of Keystone's three names.
        for interface in ("public", "internal", "admin")
    ]
    return {"id": kind, "type": kind, "name": name, "endpoints": endpoints}


def _moment(moment: datetime | None) -> str | None:
    # Keystone writes application credentials' moments without a Z, though tokens' with one.
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}" if moment else None
