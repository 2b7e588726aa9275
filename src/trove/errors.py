"""Every error that Trove raises on purpose.

TroveError
├── Invalid              the request is wrong; names the field
│   ├── Reserved         a name that the engine keeps to itself
│   └── AlreadyExists    must be unique
├── Unauthenticated      no valid credentials
├── Forbidden            the policy or the state forbids it
├── NotFound             absent, or another project's
├── Conflict             conflicts with the current state
│   └── ResourceBusy     another operation has claimed it
├── NotReady             the instance is not in a state for this
├── OverQuota            more than the project may have
├── RateLimited          more requests than the project may send
├── NotSupported         this datastore or installation cannot do it
├── Unavailable          try again: a needed service does not answer now
└── Failed               trying again cannot help: turn back
    └── Crashed          a program of an engine was ended by a signal

An error's docstring is its default message. HTTP numbers stand in `api/errors.py` alone.
"""

from __future__ import annotations


class TroveError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


class Invalid(TroveError):
    """The request is not valid."""

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        # Before the message, so that every way in, API or command, names it alike.
        super().__init__(f"{field}: {message}" if field and message else message)
        self.field = field


class Reserved(Invalid):
    """This name is reserved by the database engine or the operator."""


class AlreadyExists(Invalid):
    """Something of this name exists already."""


class Unauthenticated(TroveError):
    """The request you have made requires authentication."""


class Forbidden(TroveError):
    """You are not authorized to perform this action."""


class NotFound(TroveError):
    """The resource could not be found."""


class Conflict(TroveError):
    """The request conflicts with the current state of the resource."""


class ResourceBusy(Conflict):
    """Another operation uses the resource; wait until it has ended."""


class NotReady(TroveError):
    """The instance is not in a state in which this can be done; wait and try again."""


class OverQuota(TroveError):
    """Quota exceeded."""


class RateLimited(TroveError):
    """Too many requests; try again later."""

    def __init__(self, message: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds until the next request will be let through."""


class NotSupported(TroveError):
    """This datastore does not support the operation."""


class Unavailable(TroveError):
    """Something that is needed does not answer; the same call may succeed later."""


class Failed(TroveError):
    """This cannot succeed, however often it is tried."""


class Crashed(Failed):
    """A program of the database engine crashed."""
