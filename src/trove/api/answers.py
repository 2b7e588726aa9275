"""Answers as structs: the one that a route encodes is the one that the OpenAPI document shows.

A route that returns `Shown[T]` documents `T`; the type checker holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from fastapi.routing import APIRoute
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response
from starlette.routing import BaseRoute

from trove.api.errors import JSON_TYPE
from trove.db import JsonObject

T = TypeVar("T", bound=Struct)

REFERENCE = "#/components/schemas/{name}"
ENCODER = msgspec.json.Encoder()

ALWAYS: Any = UNSET
"""The default of a field that is set after the struct was made: it is in every answer."""


class Link(Struct):
    rel: str
    href: str


Links = list[Link] | UnsetType
"""Of a page: missing on the last one."""


class Ref(Struct):
    """Another resource."""

    id: str
    links: list[Link]


class Shown(Response, Generic[T]):
    """200 with this struct as its body."""

    media_type = JSON_TYPE

    def __init__(self, body: T) -> None:
        super().__init__(ENCODER.encode(body))

    @classmethod
    def of_bytes(cls, encoded: bytes) -> Shown[T]:
        """An answer that was encoded already."""
        answer = cls.__new__(cls)
        Response.__init__(answer, encoded)
        return answer


class Route(APIRoute):
    """A route that documents the struct in its return annotation."""

    shown: type[Struct] | None

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        self.shown = _shown_by(endpoint)
        if self.shown is not None:
            schema = {"$ref": REFERENCE.format(name=self.shown.__name__)}
            documented = {200: {"content": {JSON_TYPE: {"schema": schema}}}}
            options |= {
                "response_model": None,
                "response_class": Response,
                "responses": documented | (options.get("responses") or {}),
            }
        super().__init__(path, endpoint, **options)


def schemas_of(routes: Iterable[BaseRoute]) -> JsonObject:
    """JSON schemas of all structs that these routes answer with, by name."""
    kinds = {route.shown for route in routes if isinstance(route, Route) and route.shown}
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    for struct in _structs_in(kinds):
        _require_what_is_always_there(schemas[struct.__name__], struct)
    return schemas


def _shown_by(endpoint: Any) -> type[Struct] | None:
    returned = get_type_hints(endpoint).get("return")
    if get_origin(returned) is not Shown:
        return None
    kind: type[Struct] = get_args(returned)[0]
    return kind


def _structs_in(kinds: Iterable[Any]) -> set[type[Struct]]:
    """These structs and all that stand in their fields."""
    found: set[type[Struct]] = set()
    left = list(kinds)
    while left:
        kind = left.pop()
        if isinstance(kind, type) and issubclass(kind, Struct) and kind not in found:
            found.add(kind)
            left += [field.type for field in msgspec.structs.fields(kind)]
        left += get_args(kind)
    return found


def _require_what_is_always_there(schema: JsonObject, struct: type[Struct]) -> None:
    # msgspec takes a field with a default for one that may be missing. Here a default of UNSET
    # alone does not mean that: only a type that includes UnsetType does.
    schema["required"] = [
        field.encode_name
        for field in msgspec.structs.fields(struct)
        if UnsetType not in (field.type, *get_args(field.type))
    ]
