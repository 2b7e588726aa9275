"""`python -m trove.cli.trove`."""

import sys

from trove.cli.trove import main

sys.exit(main())
