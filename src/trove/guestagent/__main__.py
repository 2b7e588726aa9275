"""`python -m trove.guestagent --directory DIR`."""

import sys

from trove.guestagent.main import main

sys.exit(main())
