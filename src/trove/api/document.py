"""`/openapi.json`: what the routes say of themselves, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from trove import __version__
from trove.api.answers import schemas_of
from trove.api.negotiation import VERSION
from trove.db import JsonObject

METHODS = ("get", "post", "put", "patch", "delete")

DESCRIPTION = """\
The Trove API v1.0. Every answer has an `X-OpenStack-Request-Id`, and that to an accepted change an
`X-Trove-Operation-Id` if it started an operation.

Lists come in pages: while there is more, `links` and `<collection>_links` have a `next`.
A POST with an `Idempotency-Key` is done once within a day, and repeated requests of the same user
get the same answer. If the service is killed before it has answered, repeated requests get 409 for
a minute; after that the request is done again: creating an instance finds the one that was created
before, anything else may happen twice."""

MEANINGS: dict[str, str] = {
    "400": "The request is not valid; the message names the field.",
    "401": "The token is not valid, or not an administrator's.",
    "403": "The policy does not allow it.",
    "404": "It does not exist in this project.",
    "405": "The method is not allowed.",
    "406": "This version or media type is not served.",
    "409": "It conflicts with the current state.",
    "413": "More, or more often, than the project may; or too large a body.",
    "415": "The body must be JSON.",
    "422": "The instance is not in a state for this.",
    "500": "The server failed.",
    "501": "This datastore, or this installation, does not support it.",
    "503": "Something that is needed does not answer; try again.",
}
# 413 comes with the rate limits, 422 when the accounts of an engine are read that does not run.
READING = ("400", "401", "403", "404", "406", "413", "422", "501", "503")
WRITING = (*READING, "409", "415", "500")

ERROR_SCHEMA: JsonObject = {
    "type": "object",
    "description": "One key, the name of the error.",
    "minProperties": 1,
    "maxProperties": 1,
    # The error's name is the key, and so no fixed property: python-troveclient takes the message of
    # whatever object stands first.
    "additionalProperties": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "integer"},
            "message": {"type": "string"},
            "details": {"type": "string"},
            "retryAfter": {"type": "integer"},
        },
    },
}

PROJECT_ID: JsonObject = {
    "name": "project_id",
    "in": "path",
    "required": True,
    "description": "The project that the token is good for.",
    "schema": {"type": "string"},
}

IDEMPOTENCY_KEY: JsonObject = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key is done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Let the application show the document of these routers."""

    def openapi() -> JsonObject:
        # FastAPI keeps the finished document there too, and its /openapi.json calls this function.
        if app.openapi_schema is None:
            app.openapi_schema = document_of(app, routers)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def document_of(app: FastAPI, routers: Sequence[APIRouter]) -> JsonObject:
    """The whole document."""
    document = get_openapi(
        title="Trove", version=__version__, description=DESCRIPTION, routes=app.routes
    )
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    # FastAPI promises a 422 of its own for every route with parameters; here it never comes: what
    # is not valid is answered 400, and 422 means the state of an instance.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Error"] = ERROR_SCHEMA
    schemas |= schemas_of(route for router in routers for route in router.routes)
    parts["responses"] = {f"Error{code}": _response(text) for code, text in MEANINGS.items()}
    parts["securitySchemes"] = {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}
    for path, operations in document["paths"].items():
        for method in set(METHODS) & set(operations):
            _complete(path, method, operations[method])
    return document


def _complete(path: str, method: str, operation: JsonObject) -> None:
    """Add to one operation what the layers before the routes may answer."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    # These pass the gate unasked: no token, no project, no rate.
    if not path.startswith(f"{VERSION}/{{"):
        if method != "get":
            _add(responses, ("400", "413"))
        return
    operation["security"] = [{"token": []}]
    _add(responses, READING if method == "get" else WRITING)
    more = [PROJECT_ID, IDEMPOTENCY_KEY] if method == "post" else [PROJECT_ID]
    operation["parameters"] = [*more, *operation.get("parameters", ())]


def _add(responses: JsonObject, codes: tuple[str, ...]) -> None:
    for code in codes:
        responses.setdefault(code, {"$ref": f"#/components/responses/Error{code}"})


def _response(text: str) -> JsonObject:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
