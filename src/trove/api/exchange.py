"""What the layers of the API share about one request: its id, its caller, headers of the answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from trove.services.installation import Caller

SCOPE_KEY = "trove.exchange"


@dataclass(slots=True)
class Exchange:
    """One request and its answer."""

    request_id: str
    request_headers: Mapping[str, str] = field(default_factory=dict)
    """The request's headers, by lower-case names."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """To be added to the answer."""
    caller: Caller | None = None
    made_id: str = ""
    """For what the request makes, when it must be made once; otherwise empty."""
    # 0 until the head of the answer has gone out; after that no other answer can be sent.
    status: int = 0


def new_request_id() -> str:
    """`req-` and a version 4 UUID; it need not be hard to guess, so it is made cheaply."""
    text = f"{random.getrandbits(128):032x}"  # noqa: S311
    return f"req-{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
