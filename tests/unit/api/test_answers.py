"""Answers: the struct that is encoded is the one that the document shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
from fastapi import APIRouter
from msgspec import UNSET, Struct, UnsetType

from tests.architecture.measure import ROOT
from trove.api.answers import ALWAYS, Route, Shown, schemas_of
from trove.api.resources.instances import InstanceBrief, InstanceDetail


class Part(Struct):
    size: int


class Whole(Struct):
    name: str
    parts: list[Part]
    note: str | None | UnsetType = UNSET
    later: int = ALWAYS


class Answer(Struct):
    whole: Whole


router = APIRouter(route_class=Route)


@router.get("/whole")
def whole() -> Shown[Answer]:
    made = Whole("a", [Part(1)])
    made.later = 2
    return Shown(Answer(made))


@router.get("/plain")
def plain() -> None:
    """A route that shows no struct."""


def test_a_struct_is_documented_and_encoded() -> None:
    assert whole().body == b'{"whole":{"name":"a","parts":[{"size":1}],"later":2}}'
    schemas = schemas_of(router.routes)
    assert set(schemas) == {"Answer", "Whole", "Part"}
    assert schemas["Whole"]["required"] == ["name", "parts", "later"]
    assert schemas["Answer"]["properties"] == {"whole": {"$ref": "#/components/schemas/Whole"}}


def test_a_route_without_a_struct_is_left_alone() -> None:
    assert [route.shown for route in router.routes if isinstance(route, Route)] == [Answer, None]


def test_encoded_bytes_pass_as_they_are() -> None:
    answer: Shown[Answer] = Shown.of_bytes(b"{}")
    assert (answer.body, answer.media_type) == (b"{}", "application/json")


def test_details_have_all_that_the_brief_has() -> None:
    brief = {field.name for field in msgspec.structs.fields(InstanceBrief)}
    assert brief < {field.name for field in msgspec.structs.fields(InstanceDetail)}


def test_a_plain_field_of_an_instance_is_in_three_files() -> None:
    """Model, migration, API resource: `locality` is such a field."""
    server = ("api", "services", "workflows", "models", "migrations", "engine", "conductor")
    found = subprocess.run(
        ["git", "grep", "-lw", "locality", "--", *(f"src/trove/{name}" for name in server)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [str(Path(path).parent) for path in found.stdout.split()] == [
        "src/trove/api/resources",
        "src/trove/migrations/versions",
        "src/trove/models",
    ]
