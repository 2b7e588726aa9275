"""What the subcommands of trove-manage share: the installation, and questions on a terminal."""

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
"""In whose name an operator acts; there is no token."""


@contextmanager
def opened(settings: Settings) -> Iterator[Installation]:
    """The installation, whose metadata database is sure to be of this release."""
    # To write with this release's rules into another's tables could spoil them.
    check_schema(settings.url)
    installation = build_installation(settings)
    try:
        yield installation
    finally:
        installation.database.dispose()


@contextmanager
def asking() -> Iterator[None]:
    """Around a question, before anything is done: raises Invalid when there is no answer."""
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        raise Invalid("interrupted; nothing was changed") from None


def secret_from_operator(what: str) -> str:
    """Asked for twice on a terminal, otherwise the first line of standard input."""
    # A script's password can be right the first time; who types sees nothing and may mistype.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    with asking():
        secret = getpass.getpass(f"{what}: ")
        again = getpass.getpass(f"{what} again: ")
    if again != secret:
        raise Invalid("the two do not match; nothing was changed")
    return secret
