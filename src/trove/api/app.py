"""Builds the application: the layers that every request passes, and the routes.

outermost (id, failures, metrics) -> gate (version, caller, project, rate, body)
-> once (`Idempotency-Key`) -> methods (HEAD, OPTIONS, `Allow`) -> routes
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from trove.api import document
from trove.api.auth import Authenticator, create_authenticator
from trove.api.errors import Handler, handle
from trove.api.gate import Gate
from trove.api.negotiation import VERSION
from trove.api.once import Once
from trove.api.outermost import Outermost
from trove.api.rate import RateLimits
from trove.api.routes import (
    actions,
    databases,
    datastores,
    events,
    flavors,
    identity,
    instances,
    limits,
    mgmt_datastores,
    mgmt_instances,
    mgmt_quotas,
    operations,
    root,
    service,
    tls,
    unserved,
    users,
    versions,
)
from trove.api.sharing import Shared
from trove.api.waiting import Waiting
from trove.errors import TroveError
from trove.http_methods import HttpMethods
from trove.metrics import Metrics
from trove.services.installation import Installation

PUBLIC: tuple[APIRouter, ...] = (versions.router, service.router)
"""Served without a token."""

OF_TENANTS: tuple[APIRouter, ...] = (
    instances.router,
    actions.router,
    databases.router,
    users.router,
    root.router,
    datastores.router,
    flavors.router,
    limits.router,
    operations.router,
    events.router,
    tls.router,
    mgmt_instances.router,
    mgmt_datastores.router,
    mgmt_quotas.router,
    unserved.router,
)
"""In the order in which a path is looked up: the most frequent first."""


def create_app(
    installation: Installation,
    authenticator: Authenticator | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The API of one installation.

    `authenticator` follows from the settings by default; `metrics` are those of the process.
    """
    app = FastAPI(
        title="Trove",
        # FastAPI's own pages of documentation fetch their scripts from a public network.
        docs_url=None,
        redoc_url=None,
        # The gate takes slashes off. A redirect would lead to the host that the request names,
        # which may not be ours behind a proxy; the `trove` command follows none at all.
        redirect_slashes=False,
        # A body without a type is JSON here (check_body). FastAPI refuses it because browsers
        # can be made to send it, but no browser adds an X-Auth-Token by itself.
        strict_content_type=False,
    )
    app.state.installation = installation
    app.state.metrics = metrics or Metrics()
    app.state.shared = Shared()
    app.state.waiting = Waiting()
    app.state.limits = RateLimits(installation.settings.api)
    for router in OF_TENANTS:
        app.include_router(router, prefix=f"{VERSION}/{{project_id}}")
    for router in PUBLIC:
        app.include_router(router)
    # With Keystone, passwords of built-in users must not be accepted.
    has_identity = installation.settings.api.auth == "builtin"
    if has_identity:
        app.include_router(identity.router)
    _add_error_handlers(app, identity.handle_unserved if has_identity else handle)
    _add_layers(app, installation, authenticator or create_authenticator(installation))
    document.install(app, (*OF_TENANTS, *PUBLIC))
    return app


def _add_error_handlers(app: FastAPI, unserved_handler: Handler) -> None:
    # Not Exception: Starlette hands that to its ServerErrorMiddleware, outside of all our layers,
    # where the answer would get no request id and no count.
    for kind in (TroveError, RequestValidationError):
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(HTTPException, unserved_handler)


def _add_layers(app: FastAPI, installation: Installation, authenticator: Authenticator) -> None:
    # Starlette calls the layer first that was added last. Once is behind the gate, because a key is
    # valid for the caller's project only.
    app.add_middleware(HttpMethods, routes=app.router.routes)
    app.add_middleware(Once, installation=installation)
    app.add_middleware(Gate, authenticator=authenticator, limits=app.state.limits)
    app.add_middleware(Outermost, metrics=app.state.metrics)
