"""Backups and their strategies: there are none yet, and none can be made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import PAGED, Call, OfProject, accepted, may, shown
from trove.api.policy import enforce
from trove.api.schemas.answers import Shown
from trove.api.schemas.others import BackupCreate, StrategyCreate
from trove.errors import NotFound, NotSupported
from trove.services import instances

router = APIRouter(tags=["backups"])


@router.get("/backups", response_model=Shown, openapi_extra=PAGED)
def index(  # noqa: PLR0913 - the filters of the wire
    call: Annotated[Call, may("backup:index")],
    *,
    datastore: str | None = None,
    instance_id: str | None = None,
    all_projects: bool = False,
    of_project: OfProject = None,
) -> Response:
    # Naming one's own project counts too: the wire asks for an administrator as soon as it is
    # named.
    if all_projects or of_project is not None:
        enforce("backup:index:all_projects", call.caller)
    # A limit that is no number is refused although there is nothing to be cut into pages.
    call.asked_page()
    return shown({"backups": []})


@router.post("/backups", status_code=501, response_class=Response)
def create(call: Annotated[Call, may("backup:create")], body: BackupCreate) -> Response:
    if body.backup.instance is not None:
        # 404 for an unknown instance comes before 501: the first is the user's, the second is not.
        instances.show(call.inst, call.caller, body.backup.instance)
    raise _not_taken()


@router.get("/backups/{backup_id}", response_model=Shown)
def show(call: Annotated[Call, may("backup:show")], backup_id: str) -> Response:
    raise _unknown(backup_id)


@router.delete("/backups/{backup_id}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("backup:delete")], backup_id: str) -> Response:
    raise _unknown(backup_id)


@router.get("/instances/{instance_id}/backups", response_model=Shown, openapi_extra=PAGED)
def of_instance(
    call: Annotated[Call, may("instance:backups")],
    instance_id: str,
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    call.asked_page()
    return shown({"backups": []})


@router.get("/backup_strategies", response_model=Shown)
def strategies(
    call: Annotated[Call, may("backup_strategy:index")],
    instance_id: str | None = None,
    of_project: OfProject = None,
) -> Response:
    return shown({"backup_strategies": []})


@router.post("/backup_strategies", status_code=501, response_class=Response)
def create_strategy(
    call: Annotated[Call, may("backup_strategy:create")], body: StrategyCreate
) -> Response:
    if body.backup_strategy.instance_id:
        instances.show(call.inst, call.caller, body.backup_strategy.instance_id)
    raise _not_taken()


@router.delete("/backup_strategies", status_code=202, response_class=Response)
def delete_strategy(
    call: Annotated[Call, may("backup_strategy:delete")],
    instance_id: str | None = None,
    of_project: OfProject = None,
) -> Response:
    """Content if there is none."""
    return accepted()


def _unknown(backup_id: str) -> NotFound:
    return NotFound(f"Backup {backup_id!r} could not be found.")


def _not_taken() -> NotSupported:
    return NotSupported(
        "Backups are not supported by this release: dump the data with pg_dump or mariadb-dump, at "
        "the address that `trove url INSTANCE` prints."
    )
