"""What a project may have and has, for its owner and for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trove.errors import Forbidden, Invalid, NotFound
from trove.models.event import record_event
from trove.models.quota import RESOURCES, UNLIMITED, Quota, limits_of, usage_of
from trove.services.installation import Caller, Installation

MOST = 2**31 - 1
LONGEST_ID = 64
"""Characters of a project's id, as the tables have room for."""


@dataclass(frozen=True)
class QuotaView:
    """One resource of one project."""

    resource: str
    in_use: int
    limit: int
    """-1 is none."""
    reserved: int = 0
    """Always 0: what is being built counts as used."""


def show(inst: Installation, caller: Caller, project_id: str) -> list[QuotaView]:
    """Every resource; raises Forbidden for another project's, save for administrators."""
    if project_id != caller.project_id and not caller.is_admin:
        raise Forbidden("Only an administrator sees the quotas of another project.")
    with inst.database.session() as session:
        limits = limits_of(session, project_id, inst.settings.limits.quotas)
        used = usage_of(session, project_id)
    return [QuotaView(name, used[name], limits[name]) for name in RESOURCES]


def update(
    inst: Installation, caller: Caller, project_id: str, limits: Mapping[str, int | None]
) -> dict[str, int]:
    """Set limits of a project, those that are None excepted; what was set.

    Raises Forbidden, NotFound for an unknown resource, Invalid for a limit below -1.
    """
    caller.must_be_admin()
    if len(project_id) > LONGEST_ID:
        raise Invalid(f"has at most {LONGEST_ID} characters", field="project_id")
    wanted = {name: limit for name, limit in limits.items() if limit is not None}
    for name, limit in wanted.items():
        _check(name, limit)
    with inst.database.begin() as session:
        for name, limit in wanted.items():
            session.merge(Quota(project_id=project_id, resource=name, limit=limit))
        record_event(
            session,
            "quota.update",
            project_id=project_id,
            user_id=caller.user_id,
            request_id=caller.request_id,
            payload=dict(wanted),
        )
    return wanted


def _check(name: str, limit: int) -> None:
    if name not in RESOURCES:
        raise NotFound(f"No resource is called {name!r}; there are: {', '.join(RESOURCES)}.")
    if not UNLIMITED <= limit <= MOST:
        raise Invalid(f"-1 (no limit) to {MOST}", field=f"quotas.{name}")
