"""`trove`: the entry point, where Ctrl-C is heard from the first moment on.

Read on in `program.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0 when done, 1 when not, 2 for wrong usage, 130 when interrupted."""
    try:
        # The imports take longer than many a command; an interruption must not show them.
        from trove.cli.trove.program import main as run  # noqa: PLC0415 - an entry point

        return run(words)
    except KeyboardInterrupt as error:
        print(f"\nInterrupted; {str(error) or 'nothing was changed'}.", file=sys.stderr)
        # 128 and the signal's number, as shells have it.
        return 130
