"""A body that cannot be read is refused with the reason, at every endpoint that takes one."""

from __future__ import annotations

import gzip
import json

import pytest

from trove.testing.world.api import RED, World

ORDER = json.dumps({"instance": {"name": "é", "flavorRef": "2"}}, ensure_ascii=False)
BODIES = [
    (gzip.compress(ORDER.encode(), mtime=0), "gzip"),
    (ORDER.encode("latin-1"), "not UTF-8, as JSON must be: byte 0xe9 at position 23"),
    (b"[" * 50_000, "nested too deeply"),
    (b'{"i":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
    (b"9" * 5000, "4300 digits"),
    (b'{"instance": }', "not valid JSON: Expecting value"),
    (ORDER.encode("utf-16")[:-1], "not UTF-8"),
]
PATHS = (f"/v1.0/{RED}/instances", "/identity/v3/auth/tokens")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("body", "reason"), BODIES)
@pytest.mark.parametrize("kind", ["application/json", None])
def test_the_reason_is_answered(
    world: World, path: str, body: bytes, reason: str, kind: str | None
) -> None:
    headers = {"X-Auth-Token": "red"} | ({"Content-Type": kind} if kind else {})
    answer = world.client.request("POST", path, content=body, headers=headers)
    assert answer.status_code == 400
    [error] = answer.json().values()
    assert error["message"].startswith("body: ")
    assert reason in error["message"]


def test_other_encodings_of_unicode_are_read(world: World) -> None:
    order = ORDER.replace("}}", ', "volume": {"size": 1}}}')
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        headers = {"X-Auth-Token": "red", "Content-Type": "application/json"}
        answer = world.client.request(
            "POST", PATHS[0], content=order.encode(encoding), headers=headers
        )
        assert answer.status_code == 200, answer.text
