"""The OpenAPI document is true: no 500, and no response that it does not describe.

Schemathesis makes requests from the document, good and bad ones, with real ids where a path wants
some, for each of those who may call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from trove.testing.world.api import PEOPLE, World

FAILURES = {500}
"""The statuses that no request may bring about; 501 and 503 are answers of their own."""

CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


class Target:
    """A world with one instance that works; when a request has deleted it, with another."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.instance_id = ""

    def instance(self) -> str:
        if not self.instance_id or self._is_gone():
            self.instance_id = self.world.built(
                databases=[{"name": "app"}],
                users=[{"name": "ann", "password": "secret", "databases": [{"name": "app"}]}],
            )
        return self.instance_id

    def _is_gone(self) -> bool:
        self.world.settle()
        answer = self.world.request("GET", f"/instances/{self.instance_id}")
        return bool(answer.status_code == 404)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    world = World(tmp_path_factory.mktemp("api"), roomy_quotas)
    yield Target(world)
    world.close()


def roomy_quotas(plain: Any) -> Any:
    limits = replace(plain.limits, max_instances_per_tenant=-1, max_volumes_per_tenant=-1)
    return replace(plain, limits=limits)


SLOW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_every_operation_keeps_to_the_document(target: Target) -> None:
    document = schemathesis.openapi.from_dict(target.world.app.openapi())
    broken = []
    for found in document.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.startswith("/identity"):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                _try(target, operation, mode)
            except Unsatisfiable:
                continue
            except Exception as error:
                broken.append(f"{operation.label} {mode}: {_text_of(error)}")
    assert not broken, "\n\n".join(broken)


def _try(target: Target, operation: Any, mode: GenerationMode) -> None:
    @SLOW
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        _send(target, case)

    run()


def _send(target: Target, case: Any) -> None:
    who = "admin" if "/mgmt/" in case.operation.path else "red"
    ids = {"project_id": PEOPLE[who].project_id}
    if "instance_id" in (case.path_parameters or {}):
        ids["instance_id"] = target.instance()
    known = set(case.path_parameters or {}) & set(ids)
    case.path_parameters = dict(case.path_parameters or {}) | {k: ids[k] for k in known}
    options = case.as_transport_kwargs(
        base_url="http://trove.test:8779", headers={"X-Auth-Token": who}
    )
    options.pop("cookies", None)
    if "data" in options:
        options["content"] = options.pop("data")
    answer = target.world.client.request(options.pop("method"), options.pop("url"), **options)
    assert answer.status_code not in FAILURES, answer.text
    case.validate_response(answer, checks=CHECKS)


def _text_of(error: BaseException) -> str:
    inner = getattr(error, "exceptions", None)
    return " | ".join(map(_text_of, inner)) if inner else f"{type(error).__name__}: {error}"[:1500]
