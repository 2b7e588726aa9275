"""The `trove` command: the entry point, which handles Ctrl-C from the start.

Continue with `program.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when done, 1 when not, 2 for wrong usage, 130 when interrupted."""
    try:
        # The imports take longer than many commands; an interruption must not show a traceback.
        from trove.cli.trove.program import main as run  # noqa: PLC0415 - an entry point

        return run(words)
    except KeyboardInterrupt as error:
        print(f"\nInterrupted; {str(error) or 'nothing was changed'}.", file=sys.stderr)
        # 128 and the number of the signal, like shells.
        return 130
