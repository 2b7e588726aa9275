"""Signs in at a Keystone v3 identity service and reads the catalog that comes with the token.

https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from trove.client.cloud import Cloud
from trove.client.errors import HttpError, Misconfigured
from trove.client.http import Http
from trove.client.wire import Json

NO_CATALOG = ("none", "noauth", "admin_token", "token_endpoint")
"""Authentication types of keystoneauth that use no identity service."""


@dataclass(frozen=True)
class Ticket:
    """What authorises a request, and where to send it."""

    token: str
    endpoint: str
    project_id: str = ""
    expires_at: str = ""
    """ISO 8601, UTC; empty when unknown."""
    project_name: str = ""


def uses_identity(cloud: Cloud) -> bool:
    """Whether a token must be fetched before the first request."""
    if cloud.auth_type in NO_CATALOG or not cloud.auth_url:
        return False
    # With a token and an endpoint no catalog is needed, which saves scripts a request.
    return not (cloud.token and cloud.endpoint)


def static_ticket(cloud: Cloud) -> Ticket:
    """From the endpoint and the token that the user gave; raises Misconfigured."""
    if not cloud.endpoint:
        raise Misconfigured("A token without OS_AUTH_URL needs the endpoint too: --os-endpoint.")
    # These two send no token, even if the environment has one.
    token = "" if cloud.auth_type in ("none", "noauth") else cloud.token
    return Ticket(token, with_project(cloud.endpoint, cloud.project_id), cloud.project_id)


def sign_in(http: Http, cloud: Cloud) -> Ticket:
    """Raises HttpError (401 for a wrong password), Misconfigured, Unreachable."""
    url = f"{identity_url(cloud.auth_url)}/auth/tokens"
    try:
        answer = http.request("POST", url, body={"auth": request_of(cloud)})
    except HttpError as error:
        raise HttpError(error.code, _refused(error, cloud), error.request_id) from None
    token = answer.body["token"]
    # Missing in an unscoped token.
    project = token.get("project") or {}
    project_id = project.get("id", "")
    return Ticket(
        token=answer.headers.get("X-Subject-Token", ""),
        endpoint=with_project(cloud.endpoint or endpoint_in(token, cloud), project_id),
        project_id=project_id,
        expires_at=token.get("expires_at") or "",
        project_name=project.get("name") or "",
    )


def _refused(error: HttpError, cloud: Cloud) -> str:
    if error.code != 401:
        return f"The identity service at {cloud.auth_url} says: {error.message}"
    who = cloud.username or cloud.user_id or cloud.application_credential_id or "the token"
    return (
        f"The identity service at {cloud.auth_url} rejects {who}: {error.message} "
        "Check the user name, password, project and domains (OS_* variables or clouds.yaml)."
    )


def identity_url(auth_url: str) -> str:
    """The v3 root of an identity service, from any of its roots."""
    url = auth_url.rstrip("/")
    # Old rc files have /v2.0 or no version: the root is the same.
    return url if url.endswith("/v3") else f"{url.removesuffix('/v2.0')}/v3"


def with_project(endpoint: str, project_id: str) -> str:
    """The endpoint of a project; some catalogs have it without the project."""
    url = endpoint.rstrip("/")
    if project_id and url.endswith("/v1.0"):
        return f"{url}/{project_id}"
    return url


def request_of(cloud: Cloud) -> Json:
    """The `auth` object; raises Misconfigured when something is missing."""
    # keystoneauth calls it v3applicationcredential. Keystone refuses a scope beside a credential,
    # which has its own project.
    if cloud.application_credential_secret or "applicationcredential" in cloud.auth_type:
        return {"identity": _application_credential(cloud)}
    scope = _scope(cloud)
    # Scoped again, so that the catalog is that of the wanted project.
    if cloud.token:
        return {"identity": {"methods": ["token"], "token": {"id": cloud.token}}, **scope}
    if not cloud.password:
        raise Misconfigured("The password is missing: set OS_PASSWORD, or give clouds.yaml one.")
    user = {**_user(cloud), "password": cloud.password}
    return {"identity": {"methods": ["password"], "password": {"user": user}}, **scope}


def _application_credential(cloud: Cloud) -> Json:
    credential: Json = {"secret": cloud.application_credential_secret}
    if cloud.application_credential_id:
        credential["id"] = cloud.application_credential_id
    else:
        # A name is unique only per user, so Keystone needs the user.
        credential |= {"name": cloud.application_credential_name, "user": _user(cloud)}
    return {"methods": ["application_credential"], "application_credential": credential}


def _user(cloud: Cloud) -> Json:
    if cloud.user_id:
        return {"id": cloud.user_id}
    if not cloud.username:
        raise Misconfigured("The user is missing: set OS_USERNAME, or give clouds.yaml one.")
    domain = _domain(cloud, cloud.user_domain_id, cloud.user_domain_name)
    return {"name": cloud.username, "domain": domain}


def _scope(cloud: Cloud) -> Json:
    if cloud.project_id:
        return {"scope": {"project": {"id": cloud.project_id}}}
    if not cloud.project_name:
        return {}
    domain = _domain(cloud, cloud.project_domain_id, cloud.project_domain_name)
    return {"scope": {"project": {"name": cloud.project_name, "domain": domain}}}


def _domain(cloud: Cloud, domain_id: str, domain_name: str) -> dict[str, str]:
    if domain_id:
        return {"id": domain_id}
    if domain_name:
        return {"name": domain_name}
    # The id that Keystone gives its first domain.
    return {"id": cloud.default_domain or "default"}


def endpoint_in(token: Json, cloud: Cloud) -> str:
    """The database service in a token's catalog; raises Misconfigured with what there is."""
    catalog = token.get("catalog") or []
    services = [entry for entry in catalog if _is_wanted(entry, cloud)]
    endpoints = [endpoint for entry in services for endpoint in entry.get("endpoints", [])]
    wanted = [endpoint for endpoint in endpoints if endpoint["interface"] == cloud.public]
    for endpoint in wanted:
        # Older catalogs have only `region`.
        if cloud.region_name in ("", endpoint.get("region_id"), endpoint.get("region")):
            return str(endpoint["url"])
    raise Misconfigured(_nothing_found(token, cloud, wanted))


def _is_wanted(entry: Json, cloud: Cloud) -> bool:
    named = not cloud.service_name or entry.get("name") == cloud.service_name
    return entry.get("type") == cloud.service_type and named


def _nothing_found(token: Json, cloud: Cloud, elsewhere: list[Json]) -> str:
    if not token.get("project"):
        return "The token is for no project: set OS_PROJECT_NAME or OS_PROJECT_ID."
    # The regions that have one are more useful than that this one has none.
    if elsewhere:
        regions = sorted({str(endpoint.get("region_id")) for endpoint in elsewhere})
        return (
            f"There is no {cloud.service_type} service in the region '{cloud.region_name}'; "
            f"there is one in: {', '.join(regions)}."
        )
    return (
        f"The catalog has no {cloud.public} endpoint of the type '{cloud.service_type}'. "
        "An operator has to register one; or give its address with --os-endpoint."
    )


def as_dict(ticket: Ticket) -> dict[str, str]:
    """For the cache."""
    return asdict(ticket)
