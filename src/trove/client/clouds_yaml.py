"""Reads clouds.yaml and secure.yaml where OpenStack clients look for them, and where we write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trove.client.errors import Misconfigured
from trove.client.wire import Json

OWN_CLOUD = "trove"
# The faster loader in C, where PyYAML has it.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TOP_LEVEL = ("auth_type", "region_name", "interface", "service_type", "cacert", "cert", "key")
AUTH = (
    ("auth_url", "username", "user_id", "password", "token", "endpoint", "default_domain")
    + ("project_name", "project_id", "user_domain_name", "user_domain_id")
    + ("project_domain_name", "project_domain_id", "application_credential_id")
    + ("application_credential_name", "application_credential_secret")
)


def paths(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where clouds.yaml may be, in order of precedence."""
    home = Path(environ.get("HOME") or Path.home())
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if environ.get("OS_CLIENT_CONFIG_FILE"):
        yield Path(environ["OS_CLIENT_CONFIG_FILE"])
    # The order of other OpenStack clients; the file that trove-standalone writes is last.
    yield Path("clouds.yaml")
    yield configuration / "openstack" / "clouds.yaml"
    yield Path("/etc/openstack/clouds.yaml")
    yield configuration / "trove" / "clouds.yaml"


def read_cloud(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The fields of the cloud with this name; raises Misconfigured when no file has it."""
    known: list[str] = []
    for path in paths(environ):
        clouds = _clouds_in(path)
        if name in clouds:
            return _fields_of(clouds[name])
        known += [other for other in clouds if other not in known]
    raise Misconfigured(
        f"No clouds.yaml has a cloud with the name '{name}'; there "
        + (f"are: {', '.join(known)}." if known else "are none.")
    )


def read_default(environ: Mapping[str, str]) -> dict[str, str] | None:
    """The cloud of trove-standalone; else one named `trove`, or the only one, of other files."""
    own, *usual = reversed(list(paths(environ)))
    for path in (own, *reversed(usual)):
        clouds = _clouds_in(path)
        if OWN_CLOUD in clouds:
            return _fields_of(clouds[OWN_CLOUD])
        # Of several none is chosen: a wrong guess could delete something.
        if len(clouds) == 1:
            return _fields_of(next(iter(clouds.values())))
    return None


def _clouds_in(path: Path) -> Json:
    clouds = _load(path)
    # Beside clouds.yaml, like other OpenStack clients: it holds what must not be shared.
    secrets = _load(path.with_name("secure.yaml")) if clouds else {}
    return {name: _merge(cloud or {}, secrets.get(name) or {}) for name, cloud in clouds.items()}


def _load(path: Path) -> Json:
    try:
        with path.open(encoding="utf-8") as stream:
            document = yaml.load(stream, Loader=Loader)  # noqa: S506 - a safe loader
    # Most of the paths do not exist; a file that cannot be read is an error, below.
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise Misconfigured(f"{path} is not valid YAML: {error}") from None
    clouds = document.get("clouds") if isinstance(document, dict) else None
    return clouds if isinstance(clouds, dict) else {}


def _merge(below: Json, above: Json) -> Json:
    merged = {**below, **above}
    merged["auth"] = {**(below.get("auth") or {}), **(above.get("auth") or {})}
    return merged


def _fields_of(cloud: Json) -> dict[str, str]:
    """Translate an entry of clouds.yaml into the fields of a Cloud."""
    auth = dict(cloud["auth"])
    # Files from the time of Keystone v2 have tenants.
    auth["project_name"] = auth.get("project_name") or auth.pop("tenant_name", None)
    auth["project_id"] = auth.get("project_id") or auth.pop("tenant_id", None)
    found = {name: cloud[name] for name in TOP_LEVEL if cloud.get(name)}
    found |= {name: value for name, value in auth.items() if name in AUTH and value}
    # endpoint_type is the older name.
    found["interface"] = cloud.get("interface") or cloud.get("endpoint_type")
    found["service_name"] = cloud.get("database_service_name")
    # openstacksdk's key for this service; one below `auth` would be for any service.
    found["endpoint"] = cloud.get("database_endpoint_override") or found.get("endpoint")
    # Only false itself: a missing or misspelt value must not disable verification.
    if cloud.get("verify") is False:
        found["insecure"] = "true"
    return {name: str(value) for name, value in found.items() if value}
