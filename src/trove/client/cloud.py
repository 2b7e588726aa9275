"""Which cloud, and as which user: from options, the environment and clouds.yaml.

Options take precedence over the environment, the environment over the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from trove.client import clouds_yaml
from trove.client.errors import Misconfigured

SPELLINGS: dict[str, tuple[str, ...]] = {
    # The later names of a row are those of older clients, which rc files still use.
    "auth_type": ("OS_AUTH_TYPE", "OS_AUTH_PLUGIN", "OS_AUTH_SYSTEM"),
    "auth_url": ("OS_AUTH_URL",),
    "username": ("OS_USERNAME", "OS_USER_NAME"),
    "user_id": ("OS_USER_ID",),
    "password": ("OS_PASSWORD",),
    "token": ("OS_TOKEN", "OS_AUTH_TOKEN"),
    # Projects were tenants in Keystone v2.
    "project_name": ("OS_PROJECT_NAME", "OS_TENANT_NAME"),
    "project_id": ("OS_PROJECT_ID", "OS_TENANT_ID"),
    "user_domain_name": ("OS_USER_DOMAIN_NAME",),
    "user_domain_id": ("OS_USER_DOMAIN_ID",),
    "project_domain_name": ("OS_PROJECT_DOMAIN_NAME",),
    "project_domain_id": ("OS_PROJECT_DOMAIN_ID",),
    "default_domain": ("OS_DEFAULT_DOMAIN",),
    "application_credential_id": ("OS_APPLICATION_CREDENTIAL_ID",),
    "application_credential_name": ("OS_APPLICATION_CREDENTIAL_NAME",),
    "application_credential_secret": ("OS_APPLICATION_CREDENTIAL_SECRET",),
    "region_name": ("OS_REGION_NAME",),
    "interface": ("OS_INTERFACE", "TROVE_ENDPOINT_TYPE", "OS_ENDPOINT_TYPE"),
    # The two BYPASS_URLs are the older `trove` command's, the last one openstacksdk's.
    "endpoint": (
        "OS_ENDPOINT",
        "TROVE_BYPASS_URL",
        "OS_BYPASS_URL",
        "OS_DATABASE_ENDPOINT_OVERRIDE",
    ),
    "service_type": ("OS_SERVICE_TYPE",),
    "service_name": (
        "OS_DATABASE_SERVICE_NAME",
        "TROVE_DATABASE_SERVICE_NAME",
        "TROVE_SERVICE_NAME",
    ),
    "cacert": ("OS_CACERT",),
    "cert": ("OS_CERT",),
    "key": ("OS_KEY",),
    "insecure": ("OS_INSECURE", "TROVECLIENT_INSECURE"),
}
"""Field -> the environment variables that set it; the first one that is set counts."""

WHO = ("auth_url", "endpoint", "token")
"""Without one of these in options or environment, the cloud must be in a file."""

TRUE_WORDS = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Cloud:
    """The identity service, the user, and the database service."""

    auth_type: str = ""
    auth_url: str = ""
    username: str = ""
    user_id: str = ""
    password: str = ""
    token: str = ""
    project_name: str = ""
    project_id: str = ""
    user_domain_name: str = ""
    user_domain_id: str = ""
    project_domain_name: str = ""
    project_domain_id: str = ""
    default_domain: str = ""
    application_credential_id: str = ""
    application_credential_name: str = ""
    application_credential_secret: str = ""
    region_name: str = ""
    interface: str = ""
    endpoint: str = ""
    """The database service itself, with or without the project; then no catalog is read."""
    service_type: str = "database"
    service_name: str = ""
    cacert: str = ""
    cert: str = ""
    key: str = ""
    insecure: str = ""
    """A true value disables the verification of certificates."""

    @property
    def verifies(self) -> bool:
        return self.insecure.lower() not in TRUE_WORDS

    @property
    def public(self) -> str:
        """The interface of endpoints to look for: public, internal or admin."""
        # publicURL, internalURL and adminURL were the names in Keystone v2's catalog.
        return self.interface.removesuffix("URL") or "public"


FIELDS = tuple(field.name for field in fields(Cloud))


def cloud_of(options: Mapping[str, Any], environ: Mapping[str, str]) -> Cloud:
    """Combine all sources; `options` are named like the fields, and `os_cloud`.

    Raises Misconfigured.
    """
    values = from_environment(environ)
    # Empty counts as absent: OS_* variables are often exported empty.
    values.update({name: str(options[name]) for name in FIELDS if options.get(name)})
    cloud_name = options.get("os_cloud") or environ.get("OS_CLOUD")
    # A cloud that was named must exist; there is no default for it.
    if cloud_name:
        # Options and environment over the file, so that a command can use another project.
        return Cloud(**{**clouds_yaml.read_cloud(str(cloud_name), environ), **values})
    if not any(values.get(name) for name in WHO):
        values = {**(clouds_yaml.read_default(environ) or {}), **values}
    if not any(values.get(name) for name in WHO):
        raise Misconfigured(
            "No cloud is configured. Set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and "
            "OS_PROJECT_NAME, or choose one from clouds.yaml with --os-cloud NAME; "
            "trove-standalone writes the cloud `trove` into ~/.config/trove/clouds.yaml."
        )
    return Cloud(**values)


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The fields that OS_* variables set."""
    values = {}
    for name, spellings in SPELLINGS.items():
        found = next((environ[word] for word in spellings if environ.get(word)), None)
        if found:
            values[name] = found
    return values
