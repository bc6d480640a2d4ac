"""Judge the results of the conformance tests: python judge.py FOLDER NUMBER_OF_SCENARIOS."""

# ruff: noqa: T201 - it says what it found
import json
import sys
from collections import Counter
from pathlib import Path

# Checks that need a tool of the suite's own server, or lists of prompts or resources, which this server does not have.
LISTS = ("prompts/list", "resources/list", "resources/templates/list")
NOT_FOR_US = ("Not testable", *(f"{method} returned JSON-RPC error -32601" for method in LISTS))


def main(folder: str, scenarios: str) -> int:
    """Print each check that failed, and how many there are."""
    files = sorted(Path(folder).glob("*/checks.json"))
    if len(files) != int(scenarios):
        print(f"   FAILED: {len(files)} of {scenarios} scenarios have results")
        return 1
    counts: Counter[str] = Counter()
    for file in files:
        for check in json.loads(file.read_text("utf-8")):
            applies = not (check.get("errorMessage") or "").startswith(NOT_FOR_US)
            status = str(check["status"]) if applies else "not for this server"
            counts[status] += 1
            if status in ("FAILURE", "WARNING"):
                print(f"   {file.parent.name}: {check['id']}: {check.get('errorMessage')}")
    print(f"   MCP: {len(files)} scenarios, {dict(counts)}")
    return 1 if counts["FAILURE"] or not counts["SUCCESS"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
