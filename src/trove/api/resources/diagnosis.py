"""What administrators see of an instance's agent, and of its superuser."""

from __future__ import annotations

from msgspec import Struct

from trove.db import JsonObject


class HardwareAnswer(Struct):
    hwinfo: JsonObject


class DiagnosticsAnswer(Struct):
    diagnostics: JsonObject


class RootHistoryShown(Struct):
    id: str
    enabled: str
    user: str


class RootHistoryAnswer(Struct):
    root_history: RootHistoryShown
