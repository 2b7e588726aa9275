"""`python -m trove.cli.services.standalone`."""

import sys

from trove.cli.services.standalone import main

sys.exit(main())
