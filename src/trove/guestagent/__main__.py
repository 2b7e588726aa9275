"""`python -m trove.guestagent --directory DIR`."""

import os
import sys
from typing import Any

from trove.guestagent.main import main

# Every agent of a machine pays for what it imports. PyMySQL imports this where it is installed, for
# what a connection through a private socket never does.
_modules: dict[str, Any] = sys.modules
_modules["cryptography"] = None
# The agent's alone, which are read when a process begins: engines have many busy threads.
for name in ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"):
    os.environ.pop(name, None)
sys.exit(main())
