"""`trove-guestagent`: the agent of one instance, inside its server."""

import sys


def main() -> None:
    from trove.guestagent.main import main as run  # noqa: PLC0415 - an entry point

    sys.exit(run())
