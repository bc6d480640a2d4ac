"""The committed contract: `python -m tests.contract` writes it, `--check` compares it, `--size` prints its size."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from app.catalogue import RESOURCES
from app.core.settings import Settings
from app.core.writing.representation import render
from app.main import assemble, written_contract
from seed.files import read

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "openapi.json"
EXAMPLES = ROOT / "app" / "examples.json"
INSTANT = "2026-11-22T00:00:00.000000Z"


def examples() -> str:
    """A record of each resource: the one that it declares, or one of the dataset."""
    records = read().records
    shown: dict[str, Any] = {}
    for resource in RESOURCES:
        fields = resource.own_example() or records[resource.name, resource.example]
        shown[resource.name] = json.loads(render(resource, resource.example, fields, 1, INSTANT, INSTANT))
    return json.dumps(shown, ensure_ascii=False, indent=1) + "\n"


def contract() -> str:
    """The OpenAPI document of the default settings."""
    settings = Settings.model_construct()
    written = written_contract(settings, assemble(settings)[1])
    return json.dumps(written, ensure_ascii=False, indent=1) + "\n"


def size() -> str:
    """The size of the document as it is served, without spaces."""
    served = json.dumps(json.loads(CONTRACT.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")).encode()
    return f"{len(served) / 1000:.0f} kB served, {len(gzip.compress(served)) / 1000:.0f} kB with gzip"


def main() -> int:
    """Write or compare both files, or print the size of the document."""
    if "--size" in sys.argv:
        sys.stdout.write(f"{size()}\n")
        return 0
    stale = []
    for path, content in ((EXAMPLES, examples), (CONTRACT, contract)):
        if "--check" not in sys.argv:
            path.write_text(content(), "utf-8")
        elif not path.exists() or path.read_text("utf-8") != content():
            stale.append(path.name)
    for name in stale:
        sys.stderr.write(f"{name} is not what the program says: see the difference after `make contract`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
