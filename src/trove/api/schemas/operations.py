"""Requests about operations."""

from __future__ import annotations

from trove.api.schemas.fields import Empty, Strict


class OperationAction(Strict):
    cancel: Empty
