"""`python -m trove.cli.standalone`."""

import sys

from trove.cli.standalone import main

sys.exit(main())
