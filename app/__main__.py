"""The `hoptac` command; `python -m app` is the same."""

import sys

from app import no_collector

with no_collector():
    from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
