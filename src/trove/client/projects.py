"""Turns the name of a project into its id, as the identity service knows it."""

from __future__ import annotations

import re

from trove.client.errors import Ambiguous, HttpError
from trove.client.identity import uses_identity
from trove.client.session import Session
from trove.client.wire import Json

PROJECT_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Not allowed, or not there: the user has to give an id.
REFUSED = (401, 403, 404, 501)


def find_project(session: Session, wanted: str) -> str:
    """The id of the project that has this id or this name.

    An id is not looked up, and neither is anything where there is no identity service. Raises
    HttpError 404 when there is none, Ambiguous when a name fits several.
    """
    if PROJECT_ID.fullmatch(wanted) or not uses_identity(session.cloud):
        return wanted
    found = _projects_of(session, wanted)
    if len(found) > 1:
        listed = "\n  ".join(f"{each['id']}  {each.get('domain_id', '')}" for each in found)
        raise Ambiguous(f"{len(found)} projects have the name '{wanted}'; give an id:\n  {listed}")
    if found:
        return str(found[0]["id"])
    # A user may always name their own project, even without the right to list projects.
    ticket = session.ticket
    if wanted in (ticket.project_id, ticket.project_name or session.cloud.project_name):
        return ticket.project_id
    raise HttpError(
        404,
        f"You can see no project with the name or id '{wanted}'; if there is one, give its id.",
    )


def _projects_of(session: Session, name: str) -> list[Json]:
    """Empty for users who may not list projects, as most may not."""
    try:
        body = session.query_identity("/projects", name=name)
    except HttpError as error:
        if error.code not in REFUSED:
            raise
        return []
    # A service that does not know this filter returns all projects.
    return [each for each in body["projects"] if each["name"] == name]
