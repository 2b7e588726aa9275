"""Who calls. Two ways in: the built-in identity, and Keystone; `[api] auth` chooses.

Law: an authenticator knows nothing of URLs; that the path's project is the caller's own is held
by the routes.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from trove.errors import Unauthenticated
from trove.services.identity import validate
from trove.services.installation import Caller, Installation

# Only tokens that were found valid get in, so guessed ones displace no entry.
REMEMBERED_TOKENS = 10_000


class Authenticator(Protocol):
    """Says who sent a request."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """The caller, by lower-case header names.

        Raises Unauthenticated; Unavailable when the identity service does not answer.
        `project_id` is empty for a token that is good for no project.
        """


def create_authenticator(installation: Installation) -> Authenticator:
    """The authenticator that the settings name, behind a cache of valid tokens."""
    settings = installation.settings
    authenticator: Authenticator
    if settings.api.auth == "keystone":
        from trove.api.keystone import KeystoneAuthenticator  # noqa: PLC0415 - an extra

        authenticator = KeystoneAuthenticator(settings)
    else:
        authenticator = BuiltinAuthenticator(installation)
    return RememberingAuthenticator(authenticator, settings.api.token_cache_seconds)


class BuiltinAuthenticator:
    """Validates tokens with the built-in identity."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._admin_roles = frozenset(installation.settings.api.admin_roles)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        token = validate(self._installation, token_of(headers))
        return Caller(
            project_id=token.project_id or "",
            user_id=token.user_id,
            roles=token.roles,
            is_admin=not self._admin_roles.isdisjoint(token.roles),
            user_name=token.body["user"]["name"],
        )


class RememberingAuthenticator:
    """Remembers callers for a few seconds, so that most requests validate no token.

    A token that is revoked, or that expires, works for at most these seconds more.
    """

    def __init__(
        self,
        inner: Authenticator,
        seconds: float,
        *,
        capacity: int = REMEMBERED_TOKENS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._seconds = seconds
        self._capacity = capacity
        self._monotonic = monotonic
        self._callers: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        # The gate looks from the event loop, threads of the pool write.
        self._lock = threading.Lock()

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        key = key_of(headers)
        caller = self.remembered(key)
        if caller is None:
            # Counted from before the validation: a token that is revoked meanwhile must not be
            # accepted for longer than promised.
            began = self._monotonic()
            caller = self._inner.authenticate(headers)
            self._remember(key, caller, began + self._seconds)
        return caller

    def remembered(self, key: bytes) -> Caller | None:
        """The caller of this `key_of` headers, if it is remembered."""
        with self._lock:
            until, caller = self._callers.get(key, (0.0, None))
            if caller is None or self._monotonic() >= until:
                return None
            self._callers.move_to_end(key)
            return caller

    def _remember(self, key: bytes, caller: Caller, until: float) -> None:
        with self._lock:
            self._callers[key] = (until, caller)
            self._callers.move_to_end(key)
            if len(self._callers) > self._capacity:
                self._callers.popitem(last=False)


def token_of(headers: Mapping[str, str]) -> str:
    """The request's token; raises Unauthenticated."""
    token = headers.get("x-auth-token")
    if not token:
        raise Unauthenticated
    return token


def key_of(headers: Mapping[str, str]) -> bytes:
    """Tokens are remembered by digest: a dump of this process shows none."""
    # Beside a service's token keystonemiddleware lets even an expired one through, so the pair is
    # another caller than the token alone. No header has a NUL: no other pair has this digest.
    service = headers.get("x-service-token", "")
    return hashlib.sha256(f"{token_of(headers)}\0{service}".encode()).digest()
