"""What the services send and receive: JSON objects, as they are decoded."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""One JSON object: an instance, an operation, a whole body."""
