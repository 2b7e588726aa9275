"""Authenticates callers with Keystone, by the token validation and caching of keystonemiddleware.

Law: the options of [keystone_authtoken] mean here what they mean in every OpenStack service.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import webob
from keystoneauth1.exceptions import ClientException
from keystonemiddleware.auth_token import AuthProtocol
from keystonemiddleware.exceptions import ConfigurationError
from oslo_config import cfg

from trove.errors import Failed, Unauthenticated, Unavailable
from trove.services.installation import Caller
from trove.settings import Settings

NO_METHOD = "NONE"
"""Fits no access rule: a credential that is restricted by rules is refused, never let through."""


class KeystoneAuthenticator:
    """Runs each request's tokens through the middleware, as one that has nothing behind it."""

    def __init__(self, settings: Settings) -> None:
        self._admin_roles = frozenset(settings.api.admin_roles)
        self._protocol = _protocol_of(settings.keystone_authtoken)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        request = webob.Request.blank("/", method=NO_METHOD, headers=_tokens_of(headers))
        try:
            status = request.get_response(self._protocol).status_int
        except ClientException as error:
            raise Unavailable(f"Keystone cannot be reached: {error}") from error
        if status == webob.exc.HTTPUnauthorized.code:
            raise Unauthenticated
        if status != webob.exc.HTTPNoContent.code:
            raise Unavailable("Keystone does not answer; try again later.")
        return self._caller_of(request.headers)

    def _caller_of(self, seen: Mapping[str, str]) -> Caller:
        # "".split(",") is one empty role.
        roles = frozenset(filter(None, (seen.get("X-Roles") or "").split(",")))
        return Caller(
            project_id=seen.get("X-Project-Id") or "",
            user_id=seen["X-User-Id"],
            roles=roles,
            is_admin=not self._admin_roles.isdisjoint(roles),
            user_name=seen.get("X-User-Name") or "",
        )


def _tokens_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The two headers that say who calls; the middleware sees no other."""
    tokens = {"X-Auth-Token": headers.get("x-auth-token", "")}
    if service := headers.get("x-service-token"):
        tokens["X-Service-Token"] = service
    return tokens


def _protocol_of(options: Mapping[str, str]) -> AuthProtocol:
    """Raises Failed when the options are not usable."""
    try:
        return AuthProtocol(_nothing_behind, {"oslo_config_config": _oslo_config(options)})
    except (cfg.Error, ConfigurationError, ClientException, ValueError) as error:
        raise Failed(f"[keystone_authtoken] is not usable: {error}") from error


def _oslo_config(options: Mapping[str, str]) -> cfg.ConfigOpts:
    """The options as oslo.config reads them, from a file that exists in memory alone."""
    lines = ["[keystone_authtoken]", *(f"{name} = {_escaped(options[name])}" for name in options)]
    config = cfg.ConfigOpts()
    # oslo.config reads nothing but files, and one on a disk would show the service's password.
    with os.fdopen(os.memfd_create("keystone_authtoken"), "w+") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        path = f"/proc/self/fd/{file.fileno()}"
        # Without these lists oslo.config would read our own arguments and look for files by itself.
        config([], project="trove", default_config_files=[path], default_config_dirs=[])
    return config


def _escaped(value: str) -> str:
    """oslo.config would fill in `$names`; that has been done already."""
    # A line that is indented belongs to the option above it, so a value cannot begin another
    # option.
    return value.replace("$", "$$").replace("\n", "\n    ")


def _nothing_behind(_environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []
