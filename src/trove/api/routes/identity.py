"""The built-in identity as a part of the Keystone v3 API, under /identity of the API's address.

Served only with `[api] auth = builtin`. The application's state has the `installation`. Errors
have Keystone's shape, `{"error": {code, message, title}}`, and its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from trove.api.errors import answer_to, handle, reason_of, text_of
from trove.api.negotiation import VERSION, check_length
from trove.api.resources import identity as views
from trove.api.resources.identity_requests import AuthRequest, CredentialRequest, PasswordRequest
from trove.errors import (
    AlreadyExists,
    Forbidden,
    NotFound,
    RateLimited,
    TroveError,
    Unauthenticated,
)
from trove.services import identity
from trove.services.identity import Identifier, IssuedToken
from trove.services.installation import Installation

OWN_NUMBERS: dict[type[Exception], HTTPStatus] = {
    AlreadyExists: HTTPStatus.CONFLICT,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
}
"""Where Keystone's numbers are not those of the Trove API."""

# Less than tenants may send, because the caller is not authenticated yet.
LARGEST_BODY = 64 * 1024

FILTERS = ("name", "id", "domain_id", "enabled")
"""By which lists can be narrowed."""

CREDENTIALS = "/v3/users/{user_id}/application_credentials"


class KeystoneRoute(APIRoute):
    """A route whose errors clients of Keystone understand."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                _check_size(request)
                return await serve(request)
            except (TroveError, RequestValidationError, HTTPException) as error:
                return _error(request, error)

        return answer


router = APIRouter(prefix="/identity", route_class=KeystoneRoute, include_in_schema=False)


def _installation(request: Request) -> Installation:
    installation: Installation = request.app.state.installation
    return installation


def _base(request: Request) -> str:
    """The address of this service, as clients reach it."""
    public = _installation(request).settings.api.public_endpoint
    # As in `call.base_of`: written with the version or without.
    return (public or str(request.base_url)).rstrip("/").removesuffix(VERSION)


def _caller(request: Request, x_auth_token: Annotated[str | None, Header()] = None) -> IssuedToken:
    """Whose token the request bears; raises Unauthenticated."""
    return identity.validate(_installation(request), x_auth_token or "")


Here = Annotated[Installation, Depends(_installation)]
Base = Annotated[str, Depends(_base)]
Caller = Annotated[IssuedToken, Depends(_caller)]


@router.get("")
@router.get("/")
def versions(base: Base) -> Response:
    values = {"versions": {"values": [views.version(base)]}}
    # Keystone answers a request for its versions with 300.
    return JSONResponse(values, HTTPStatus.MULTIPLE_CHOICES)


@router.get("/v3")
@router.get("/v3/")
def version(base: Base) -> views.Body:
    return {"version": views.version(base)}


@router.post("/v3/auth/tokens")
def issue(
    request: Request,
    wanted: AuthRequest,
    installation: Here,
    base: Base,
    nocatalog: str | None = None,
) -> Response:
    issued = identity.issue(installation, wanted.proof, wanted.scope, source=_source_of(request))
    return _token_answer(installation, base, issued, nocatalog, HTTPStatus.CREATED)


@router.get("/v3/auth/tokens")
def show_token(
    caller: Caller,
    installation: Here,
    base: Base,
    x_subject_token: Annotated[str, Header()],
    nocatalog: str | None = None,
) -> Response:
    subject = _subject(installation, caller, x_subject_token)
    return _token_answer(installation, base, subject, nocatalog, HTTPStatus.OK)


@router.delete("/v3/auth/tokens")
def revoke(
    caller: Caller, installation: Here, x_subject_token: Annotated[str, Header()]
) -> Response:
    subject = _subject(installation, caller, x_subject_token)
    identity.revoke(installation, subject.secret)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/v3/auth/catalog")
def catalog(caller: Caller, installation: Here, base: Base) -> views.Body:
    services = views.catalog(base, installation.settings.api.region, caller.project_id)
    return views.listed("catalog", services, f"{base}/identity/v3/auth/catalog")


@router.get("/v3/auth/projects")
def own_projects(request: Request, caller: Caller, installation: Here, base: Base) -> views.Body:
    found = identity.list_projects(installation, user_id=caller.user_id)
    return views.listed("projects", [views.project(p, base) for p in found], str(request.url))


@router.get("/v3/projects")
def projects(request: Request, caller: Caller, installation: Here, base: Base) -> views.Body:
    """Every project for administrators, a user's own for others."""
    user_id = None if _is_admin(installation, caller) else caller.user_id
    found = identity.list_projects(installation, user_id=user_id)
    return _page(request, "projects", [views.project(row, base) for row in found])


@router.get("/v3/projects/{project_id}")
def project(project_id: str, caller: Caller, installation: Here, base: Base) -> views.Body:
    own = identity.list_projects(installation, user_id=caller.user_id)
    if not _is_admin(installation, caller) and project_id not in {row.id for row in own}:
        raise Forbidden
    with installation.database.session() as session:
        found = identity.project_of(session, Identifier(id=project_id))
    if found is None:
        raise NotFound(f"Could not find project: {project_id}.")
    return {"project": views.project(found, base)}


@router.get("/v3/users")
def users(request: Request, caller: Caller, installation: Here, base: Base) -> views.Body:
    if not _is_admin(installation, caller):
        raise Forbidden
    found = identity.list_users(installation)
    return _page(request, "users", [views.user(row, base) for row in found])


@router.get("/v3/users/{user_id}")
def user(user_id: str, caller: Caller, installation: Here, base: Base) -> views.Body:
    _must_be(installation, caller, user_id)
    with installation.database.session() as session:
        found = identity.user_of(session, Identifier(id=user_id))
    if found is None:
        raise NotFound(f"Could not find user: {user_id}.")
    return {"user": views.user(found, base)}


@router.get("/v3/users/{user_id}/projects")
def projects_of_user(
    request: Request, user_id: str, caller: Caller, installation: Here, base: Base
) -> views.Body:
    _must_be(installation, caller, user_id)
    found = identity.list_projects(installation, user_id=user_id)
    return _page(request, "projects", [views.project(row, base) for row in found])


@router.post("/v3/users/{user_id}/password", status_code=HTTPStatus.NO_CONTENT)
def change_password(
    request: Request, user_id: str, wanted: PasswordRequest, installation: Here
) -> None:
    """The present password is the proof; no token is needed."""
    identity.change_password(
        installation,
        user_id,
        wanted.user.original_password.get_secret_value(),
        wanted.user.password.get_secret_value(),
        source=_source_of(request),
    )


@router.get("/v3/domains")
def domains(request: Request, caller: Caller, base: Base) -> views.Body:
    return _page(request, "domains", [views.domain(base)])


@router.get("/v3/domains/{domain_id}")
def domain(domain_id: str, caller: Caller, base: Base) -> views.Body:
    if domain_id != identity.DOMAIN_ID:
        raise NotFound(f"Could not find domain: {domain_id}.")
    return {"domain": views.domain(base)}


@router.get("/v3/roles")
def roles(request: Request, caller: Caller, base: Base) -> views.Body:
    return _page(request, "roles", views.roles(base))


@router.get("/v3/roles/{role_id}")
def role(role_id: str, caller: Caller, base: Base) -> views.Body:
    if role_id not in identity.ROLES:
        raise NotFound(f"Could not find role: {role_id}.")
    return {"role": views.role(role_id, base)}


@router.post(CREDENTIALS, status_code=HTTPStatus.CREATED)
def create_credential(
    user_id: str, wanted: CredentialRequest, caller: Caller, installation: Here, base: Base
) -> views.Body:
    _must_own_credentials(caller, user_id)
    if caller.project_id is None:
        raise Forbidden("An application credential is for the project of the token; it has none.")
    made, secret = identity.create_credential(
        installation, user_id, caller.project_id, wanted.new_credential, within=caller.roles
    )
    return {"application_credential": views.credential(made, base, secret)}


@router.get(CREDENTIALS)
def credentials(
    request: Request, user_id: str, caller: Caller, installation: Here, base: Base
) -> views.Body:
    _must_be(installation, caller, user_id)
    found = identity.list_credentials(installation, user_id)
    items = [views.credential(row, base) for row in found]
    return _page(request, "application_credentials", items)


@router.get(CREDENTIALS + "/{credential_id}")
def credential(
    user_id: str, credential_id: str, caller: Caller, installation: Here, base: Base
) -> views.Body:
    _must_be(installation, caller, user_id)
    found = {row.id: row for row in identity.list_credentials(installation, user_id)}
    if credential_id not in found:
        raise NotFound(f"Could not find application credential: {credential_id}.")
    return {"application_credential": views.credential(found[credential_id], base)}


@router.delete(CREDENTIALS + "/{credential_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_credential(user_id: str, credential_id: str, caller: Caller, installation: Here) -> None:
    _must_own_credentials(caller, user_id)
    identity.delete_credential(installation, user_id, credential_id)


async def handle_unserved(request: Request, error: Exception) -> Response:
    """The framework's handler of a path, or a method of one, that has no route.

    What Keystone has and the built-in identity has not is answered in Keystone's shape.
    """
    if not f"{request.scope['path']}/".startswith(f"{router.prefix}/"):
        return await handle(request, error)
    message = "The built-in identity does not serve this; trove-manage manages users."
    return _error(request, HTTPException(answer_to(error, "").status, message))


def _token_answer(
    installation: Installation,
    base: str,
    issued: IssuedToken,
    nocatalog: str | None,
    status: HTTPStatus,
) -> Response:
    services = views.catalog(base, installation.settings.api.region, issued.project_id)
    body = views.token(issued, None if nocatalog is not None else services)
    # Vary: a cache on the way must not give one caller's token to another.
    headers = {"X-Subject-Token": issued.secret, "Vary": "X-Auth-Token"}
    return JSONResponse(body, status, headers)


def _page(request: Request, key: str, items: Sequence[views.Body]) -> views.Body:
    filters = {name: request.query_params[name] for name in FILTERS if name in request.query_params}
    kept = [item for item in items if all(_fits(item, *pair) for pair in filters.items())]
    return views.listed(key, kept, str(request.url))


def _fits(item: views.Body, name: str, value: str) -> bool:
    own = item.get(name)
    return own is None or str(own).lower() == value.lower()


def _subject(installation: Installation, caller: IssuedToken, secret: str) -> IssuedToken:
    """The token to check: the caller's user's own, or any for administrators."""
    try:
        subject = identity.validate(installation, secret)
    except Unauthenticated:
        # 401 would say that the caller's own token is bad, and clients would sign in again.
        raise NotFound("The token could not be found.") from None
    _must_be(installation, caller, subject.user_id)
    return subject


def _is_admin(installation: Installation, caller: IssuedToken) -> bool:
    return not caller.roles.isdisjoint(installation.settings.api.admin_roles)


def _must_be(installation: Installation, caller: IssuedToken, user_id: str) -> None:
    if caller.user_id != user_id and not _is_admin(installation, caller):
        raise Forbidden


def _must_own_credentials(caller: IssuedToken, user_id: str) -> None:
    """Credentials are created by their own user only, and not with a restricted credential."""
    restricted = caller.body.get("application_credential", {}).get("restricted", False)
    if caller.user_id != user_id or restricted:
        raise Forbidden


def _source_of(request: Request) -> str:
    return request.client.host if request.client else ""


def _check_size(request: Request) -> None:
    """Raises TooLarge."""
    check_length(request.headers.get("content-length", "0"), LARGEST_BODY)


def _error(request: Request, error: Exception) -> Response:
    status = OWN_NUMBERS.get(type(error)) or HTTPStatus(answer_to(error, "").status)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = f'Keystone uri="{_base(request)}/identity"'
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    body = {"code": status.value, "message": _message_of(error), "title": status.phrase}
    return JSONResponse({"error": body}, status, headers)


def _message_of(error: Exception) -> str:
    if isinstance(error, RequestValidationError):
        return text_of(error.errors())
    return reason_of(error) if isinstance(error, HTTPException) else str(error)
