"""`/instances/{id}/users`; a user is `name` or `name@host` in a path."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import PAGED, Call, accepted, may
from trove.api.resources.accounts import (
    DatabasesAnswer,
    GrantIn,
    NameShown,
    UserAnswer,
    UsersAnswer,
    UsersIn,
    UserUpdate,
    shown_user,
    users_of,
)
from trove.api.resources.fields import PathName
from trove.services import accounts
from trove.services.accounts import UserChange

router = APIRouter(prefix="/instances/{instance_id}/users", tags=["users"], route_class=Route)


@router.get("", openapi_extra=PAGED)
def index(
    call: Annotated[Call, may("user:index")],
    instance_id: str,
) -> Shown[UsersAnswer]:
    """What the agent last reported; no request goes to the engine."""
    # Operators have an option of its own for this list (users_page_size).
    size, marker = call.requested_page(call.inst.settings.api.users_page_size)
    page = accounts.list_users(call.inst, call.caller, instance_id, limit=size, marker=marker)
    items = [shown_user(each) for each in page.items]
    return call.page(UsersAnswer, items, page.next_marker, size)


@router.post("", status_code=202, response_class=Response)
async def create(
    call: Annotated[Call, may("user:create")], instance_id: str, body: UsersIn
) -> Response:
    """Create users with their grants."""
    await call.wait_for_agent(instance_id, accounts.create_users, users_of(body.users))
    return accepted()


@router.put("", status_code=202, response_class=Response)
async def change_passwords(
    call: Annotated[Call, may("user:update")], instance_id: str, body: UsersIn
) -> Response:
    """Change the passwords of users."""
    await call.wait_for_agent(instance_id, accounts.change_passwords, users_of(body.users))
    return accepted()


@router.get("/{user}")
def show(
    call: Annotated[Call, may("user:show")], instance_id: str, user: PathName
) -> Shown[UserAnswer]:
    """One user with their databases."""
    found = accounts.show_user(call.inst, call.caller, instance_id, user)
    return Shown(UserAnswer(shown_user(found)))


# openstacksdk's create_user; the name in the body is the one that counts.
@router.post("/{user}", status_code=202, response_class=Response)
async def create_one(
    call: Annotated[Call, may("user:create")], instance_id: str, user: PathName, body: UsersIn
) -> Response:
    """Create a user; one client sends this."""
    await call.wait_for_agent(instance_id, accounts.create_users, users_of(body.users))
    return accepted()


@router.put("/{user}", status_code=202, response_class=Response)
async def update(
    call: Annotated[Call, may("user:update")], instance_id: str, user: PathName, body: UserUpdate
) -> Response:
    """Change a user's name, password or host."""
    change = UserChange(body.user.name, body.user.password, body.user.host)
    await call.wait_for_agent(instance_id, accounts.update_user, user, change)
    return accepted()


@router.delete("/{user}", status_code=202, response_class=Response)
async def delete(
    call: Annotated[Call, may("user:delete")], instance_id: str, user: PathName
) -> Response:
    """Drop a user."""
    await call.wait_for_agent(instance_id, accounts.delete_user, user)
    return accepted()


@router.get("/{user}/databases")
def grants(
    call: Annotated[Call, may("user_access:index")], instance_id: str, user: PathName
) -> Shown[DatabasesAnswer]:
    """The databases that a user may use."""
    found = accounts.show_user(call.inst, call.caller, instance_id, user)
    return Shown(DatabasesAnswer([NameShown(name) for name in found.databases]))


@router.put("/{user}/databases", status_code=202, response_class=Response)
async def grant(
    call: Annotated[Call, may("user_access:update")],
    instance_id: str,
    user: PathName,
    body: GrantIn,
) -> Response:
    """Grant a user databases."""
    names = [database.name for database in body.databases]
    await call.wait_for_agent(instance_id, accounts.grant, user, names)
    return accepted()


@router.delete("/{user}/databases/{database}", status_code=202, response_class=Response)
async def revoke(
    call: Annotated[Call, may("user_access:delete")],
    instance_id: str,
    user: PathName,
    database: PathName,
) -> Response:
    """Revoke a grant."""
    await call.wait_for_agent(instance_id, accounts.revoke, user, database)
    return accepted()
