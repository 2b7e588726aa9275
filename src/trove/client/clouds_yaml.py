"""Reads clouds.yaml and secure.yaml where OpenStack clients look for them, and where we write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trove.client.errors import Misconfigured

OWN_CLOUD = "trove"
# The loader in C, where PyYAML was built with it: a command must answer at once.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TOP_LEVEL = ("auth_type", "region_name", "interface", "service_type", "cacert", "cert", "key")
AUTH = (
    ("auth_url", "username", "user_id", "password", "token", "endpoint", "default_domain")
    + ("project_name", "project_id", "user_domain_name", "user_domain_id")
    + ("project_domain_name", "project_domain_id", "application_credential_id")
    + ("application_credential_name", "application_credential_secret")
)


def places(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where clouds.yaml may be, the most important first."""
    home = Path(environ.get("HOME") or Path.home())
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if environ.get("OS_CLIENT_CONFIG_FILE"):
        yield Path(environ["OS_CLIENT_CONFIG_FILE"])
    # The order of the other OpenStack clients; what trove-standalone wrote comes last.
    yield Path("clouds.yaml")
    yield configuration / "openstack" / "clouds.yaml"
    yield Path("/etc/openstack/clouds.yaml")
    yield configuration / "trove" / "clouds.yaml"


def read_cloud(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The fields of the cloud of this name; raises Misconfigured when no file has it."""
    known: list[str] = []
    for place in places(environ):
        clouds = _clouds_in(place)
        if name in clouds:
            return _fields_of(clouds[name])
        known += [other for other in clouds if other not in known]
    raise Misconfigured(
        f"No clouds.yaml has a cloud of the name '{name}'; there "
        + (f"are: {', '.join(known)}." if known else "is none at all.")
    )


def read_default(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Our own cloud; else the one of this name, or the only one, of the usual files."""
    own, *usual = reversed(list(places(environ)))
    for place in (own, *reversed(usual)):
        clouds = _clouds_in(place)
        if OWN_CLOUD in clouds:
            return _fields_of(clouds[OWN_CLOUD])
        # Of several none is chosen: a guess could delete something in the wrong cloud.
        if len(clouds) == 1:
            return _fields_of(next(iter(clouds.values())))
    return None


def _clouds_in(place: Path) -> dict[str, Any]:
    clouds = _load(place)
    # Beside clouds.yaml, as other OpenStack clients have it: one may be shown to others, one not.
    secrets = _load(place.with_name("secure.yaml")) if clouds else {}
    return {name: _merge(cloud or {}, secrets.get(name) or {}) for name, cloud in clouds.items()}


def _load(place: Path) -> dict[str, Any]:
    try:
        with place.open(encoding="utf-8") as stream:
            document = yaml.load(stream, Loader=Loader)  # noqa: S506 - a safe loader
    # Most places have none; a file that is there and can not be read is told of, below.
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Misconfigured(f"{place} can not be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{place} is not valid YAML: {error}") from None
    clouds = document.get("clouds") if isinstance(document, dict) else None
    return clouds if isinstance(clouds, dict) else {}


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    merged["auth"] = {**(below.get("auth") or {}), **(above.get("auth") or {})}
    return merged


def _fields_of(cloud: dict[str, Any]) -> dict[str, str]:
    """Translate an entry of clouds.yaml into the fields of a Cloud."""
    auth = dict(cloud["auth"])
    # Files of Keystone v2's time say tenant.
    auth["project_name"] = auth.get("project_name") or auth.pop("tenant_name", None)
    auth["project_id"] = auth.get("project_id") or auth.pop("tenant_id", None)
    found = {name: cloud[name] for name in TOP_LEVEL if cloud.get(name)}
    found |= {name: value for name, value in auth.items() if name in AUTH and value}
    # endpoint_type is the older name.
    found["interface"] = cloud.get("interface") or cloud.get("endpoint_type")
    found["service_name"] = cloud.get("database_service_name")
    # openstacksdk's key for this very service; one below `auth` would be for any.
    found["endpoint"] = cloud.get("database_endpoint_override") or found.get("endpoint")
    # Only false itself: what is missing or misspelt must not turn verification off.
    if cloud.get("verify") is False:
        found["insecure"] = "true"
    return {name: str(value) for name, value in found.items() if value}
