"""The `hoptac` command, also run by `python -m app`."""

import sys

from app import no_collector

with no_collector():
    from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
