"""The `hoptac` command; `python -m app` is the same."""

import sys

from app.core.garbage_collection import without_garbage_collection

with without_garbage_collection():
    from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
