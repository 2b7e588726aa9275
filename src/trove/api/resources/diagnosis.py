"""What administrators see of an instance's agent, and of its superuser."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class HardwareAnswer(Struct):
    hwinfo: dict[str, Any]


class DiagnosticsAnswer(Struct):
    diagnostics: dict[str, Any]


class RootHistoryShown(Struct):
    id: str
    enabled: str
    user: str


class RootHistoryAnswer(Struct):
    root_history: RootHistoryShown
