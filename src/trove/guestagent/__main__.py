"""`python -m trove.guestagent --directory DIR`."""

import os
import sys
from typing import Any

from trove.guestagent.main import main

# Every agent of a machine pays for what it imports. PyMySQL imports this where it is installed, for
# what a connection through a private socket never does.
_modules: dict[str, Any] = sys.modules
_modules["cryptography"] = None
# The agent's alone, which is read when a process begins: engines have many busy threads.
os.environ.pop("MALLOC_ARENA_MAX", None)
sys.exit(main())
