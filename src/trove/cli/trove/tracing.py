"""The headers by which the services of OpenStack trace a request (osprofiler)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid


def profiling_headers(key: str) -> dict[str, str]:
    """A new trace, signed with the key that the service knows: SHA-1, like osprofiler."""
    trace = str(uuid.uuid4())
    document = json.dumps({"base_id": trace, "parent_id": trace}).encode()
    packed = base64.urlsafe_b64encode(document)
    # The service computes the same, so the algorithm is given.
    signature = hmac.new(key.encode(), packed, hashlib.sha1).hexdigest()
    return {"X-Trace-Info": packed.decode(), "X-Trace-HMAC": signature}
