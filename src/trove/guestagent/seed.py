"""The agent's program, run once for a version of an engine: makes a seed (`trove.protocol.seeds`).

`python -m trove.guestagent.seed MANAGER PROGRAMS DIRECTORY`. Where the datastore has none, it makes
nothing and succeeds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from trove.datastores import datastore_of
from trove.errors import TroveError


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 with the reason on stderr."""
    manager, binaries, directory = arguments or sys.argv[1:]
    try:
        create = datastore_of(manager).seed
        if create is not None:
            create().make(Path(binaries), Path(directory))
    except TroveError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
