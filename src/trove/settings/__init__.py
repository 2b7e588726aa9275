"""Everything that can be set. `groups.py` says what, `options.py` under which names operators
write it, `plugins.py` what providers add, `loading.py` where values come from."""

from trove.settings.groups import (
    ApiSettings,
    ConductorSettings,
    LimitSettings,
    Settings,
    TimingSettings,
)
from trove.settings.loading import Loaded, load_settings, read_settings

__all__ = [
    "ApiSettings",
    "ConductorSettings",
    "LimitSettings",
    "Loaded",
    "Settings",
    "TimingSettings",
    "load_settings",
    "read_settings",
]
