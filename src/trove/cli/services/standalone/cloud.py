"""The `clouds.yaml` entries through which this user's clients find the service.

The one in the state directory is the truth; the user's own file gets a copy unless an entry of
that name leads elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from trove.cli.services.wiring import api_authority
from trove.files import ensure_directory, write_private
from trove.settings import Settings

CLOUD = "trove"


def state_file(settings: Settings) -> Path:
    return settings.state_directory / "clouds.yaml"


def user_file() -> Path:
    """Where the `trove` command looks when nothing else names a cloud."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "trove" / "clouds.yaml"


def cloud_of(settings: Settings, user: str, project: str, password: str) -> dict[str, Any]:
    """The entry with which this user logs in."""
    entry = {
        "auth": {
            "auth_url": "",
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": settings.api.region,
        "identity_api_version": "3",
    }
    return _with_address(settings, entry)


def renew(settings: Settings) -> None:
    """Change our entry, and the user's copy of it, to where the API is served now."""
    before = entries_of(state_file(settings))[CLOUD]
    now = _with_address(settings, before)
    if now != before:
        if entries_of(user_file()).get(CLOUD) == before:
            ensure_entry(user_file(), now)
        ensure_entry(state_file(settings), now)


def _with_address(settings: Settings, entry: dict[str, Any]) -> dict[str, Any]:
    at, authority = settings.api, api_authority(settings)
    # A certificate of the operator's has the public name, not that of loopback.
    is_theirs = at.has_tls and authority is None
    url = at.public_endpoint if is_theirs and at.public_endpoint else at.local_url
    kept = {key: value for key, value in entry.items() if key != "cacert" or is_theirs}
    made = kept | {"auth": entry["auth"] | {"auth_url": f"{url.rstrip('/')}/identity/v3"}}
    return made | ({"cacert": str(authority)} if authority else {})


def ensure_entry(path: Path, cloud: dict[str, Any]) -> None:
    """Put this entry into the file, which only its owner may read."""
    # Users keep clouds of their own in this file.
    _write(path, entries_of(path) | {CLOUD: cloud})


def share(settings: Settings) -> bool:
    """Copy our entry into the user's own file; False when the one there leads elsewhere."""
    ours = entries_of(state_file(settings))[CLOUD]
    theirs = entries_of(user_file()).get(CLOUD)
    # Another service's entry of this name is not ours to overwrite.
    if theirs is not None and theirs.get("auth", {}).get("auth_url") != ours["auth"]["auth_url"]:
        return False
    if theirs != ours:
        ensure_entry(user_file(), ours)
    return True


def withdraw(settings: Settings) -> None:
    """Take our entry out of the user's file."""
    ours = entries_of(state_file(settings)).get(CLOUD)
    theirs = entries_of(user_file())
    # Changed since, so it is the user's now.
    if ours is None or theirs.get(CLOUD) != ours:
        return
    del theirs[CLOUD]
    if theirs:
        _write(user_file(), theirs)
    else:
        user_file().unlink()


def entries_of(path: Path) -> dict[str, Any]:
    """The clouds in this file; none when it is not there."""
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text()) or {}
    clouds: dict[str, Any] = content.get("clouds") or {}
    return clouds


def _write(path: Path, clouds: dict[str, Any]) -> None:
    ensure_directory(path.parent)
    # Clients may read it meanwhile.
    write_private(path, yaml.safe_dump({"clouds": clouds}, sort_keys=False))
