"""The `hoptac` command, also run by `python -m app`."""

import sys

from app.core.garbage_collection import without_garbage_collection

with without_garbage_collection():
    from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
