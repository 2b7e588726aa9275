"""What the subcommands of trove-manage share: the installation, and prompts on a terminal."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trove.cli.services import check_schema
from trove.cli.services.wiring import build_installation
from trove.errors import Invalid
from trove.services.installation import Caller, Installation
from trove.settings import Settings

OPERATOR = Caller(project_id="", user_id="trove-manage", is_admin=True)
"""The caller that services and events see; an operator has no token."""


@contextmanager
def opened(settings: Settings) -> Iterator[Installation]:
    """The installation; raises Failed unless its metadata database is of this release."""
    # Writing into the tables of another release could damage them.
    check_schema(settings.url)
    installation = build_installation(settings)
    try:
        yield installation
    finally:
        installation.database.dispose()


@contextmanager
def confirming() -> Iterator[None]:
    """Around a prompt, before any change: raises Invalid when there is no answer."""
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        raise Invalid("interrupted; nothing was changed") from None


def read_secret(what: str) -> str:
    """From two equal answers on a terminal, otherwise the first line of standard input."""
    # Only a password that is typed, unseen, can be mistyped.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    with confirming():
        secret = getpass.getpass(f"{what}: ")
        again = getpass.getpass(f"{what} again: ")
    if again != secret:
        raise Invalid("the two do not match; nothing was changed")
    return secret
