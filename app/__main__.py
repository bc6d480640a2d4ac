"""`python -m app` is `hoptac`."""

import sys

from app.cli import main

sys.exit(main())
