"""Prints an HTTP exchange as curl lines that can be shared: they contain no secrets."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from typing import Any, TextIO

# Like other OpenStack clients: it shows whether two requests had the same token.
HASHED = frozenset({"x-auth-token", "x-subject-token", "authorization"})
SECRET = frozenset({"password", "secret", "new_password", "root_password", "adminpass"})
MASK = "***"


class Trace:
    """Writes to `stream`; None is silence."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    def request(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> None:
        if self.stream is None:
            return
        words = ["curl", "-g", "-i", "-X", method, url]
        for name, value in headers.items():
            words += ["-H", f"{name}: {_shown(name, value)}"]
        if body is not None:
            words += ["-d", json.dumps(masked(body))]
        print("REQ:", shlex.join(words), file=self.stream)

    def answer(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        if self.stream is None:
            return
        shown = ", ".join(f"{name}: {_shown(name, value)}" for name, value in headers.items())
        print(f"RESP: [{status}] {shown}", file=self.stream)
        if body is not None:
            print("RESP BODY:", json.dumps(masked(body)), file=self.stream)


def _shown(name: str, value: str) -> str:
    if name.lower() in HASHED:
        return "{SHA256}" + hashlib.sha256(value.encode()).hexdigest()
    return value


def masked(body: Any) -> Any:
    """The same body with secrets replaced, at any depth."""
    if isinstance(body, list):
        return [masked(item) for item in body]
    if not isinstance(body, dict):
        return body
    # The token of a sign-in stands under `id`, a name that cannot be masked everywhere.
    if body.get("methods") == ["token"]:
        body = {**body, "token": {"id": MASK}}
    return {
        # Only a string: `password` is also the way to sign in, with an object below it.
        name: MASK if name.lower() in SECRET and isinstance(value, str) else masked(value)
        for name, value in body.items()
    }
