"""What can go wrong between a user and the service.

ClientError
├── WrongUsage        an unknown subcommand
├── NotServed         the API has it, this release does not
├── Misconfigured     the cloud or the user is missing or ambiguous
├── Unreachable       no answer at that address
├── HttpError         the service answered with an error
├── Ambiguous         several things have the name
├── OperationFailed   the operation that was started has failed
└── TimedOut          it continues, but the time to wait is over
"""

from __future__ import annotations

from trove.errors import TroveError


class ClientError(TroveError):
    """The command could not be carried out."""


class WrongUsage(ClientError):
    """There is no such subcommand."""


class NotServed(ClientError):
    """This release does not serve it."""


class Misconfigured(ClientError):
    """It is not clear which cloud to use, or as which user."""


class Unreachable(ClientError):
    """The service does not answer."""


class HttpError(ClientError):
    """The service has refused the request."""

    def __init__(self, code: int, message: str, request_id: str = "") -> None:
        super().__init__(message)
        # Callers fall back to something else after 404, 403 or 501.
        self.code = code
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} (HTTP {self.code})"


class Ambiguous(ClientError):
    """More than one thing has this name."""


class OperationFailed(ClientError):
    """The operation has failed."""


class TimedOut(ClientError):
    """The operation is still going on."""
