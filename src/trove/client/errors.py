"""What can go wrong between a user and the service.

ClientError
├── WrongUsage        what was typed means nothing
├── NotServed         the API has it, this release does not
├── Misconfigured     who or where is not said, or said twice
├── Unreachable       nobody answers there
├── HttpError         somebody answers, but not what was asked for
├── Ambiguous         several things bear the name
├── OperationFailed   the operation that was started has ended badly
└── TimedOut          it goes on, but nobody waits any longer
"""

from __future__ import annotations

from trove.errors import TroveError


class ClientError(TroveError):
    """The command could not be carried out."""


class WrongUsage(ClientError):
    """There is no such word."""


class NotServed(ClientError):
    """This release does not serve it."""


class Misconfigured(ClientError):
    """It is not clear which cloud to talk to, or as whom."""


class Unreachable(ClientError):
    """The service does not answer."""


class HttpError(ClientError):
    """The service has refused the request."""

    def __init__(self, code: int, message: str, request_id: str = "") -> None:
        super().__init__(message)
        # Kept, for callers try something else after 404, 403 or 501.
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
