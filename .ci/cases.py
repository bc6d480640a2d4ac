"""Prints how many cases a report of Schemathesis (NDJSON events) holds that were sent and answered."""
# ruff: noqa: T201 - the number is its answer

import json
import sys
from pathlib import Path

count = 0
with Path(sys.argv[1]).open(encoding="utf-8") as report:
    for line in report:
        if line.startswith('{"ScenarioFinished"'):
            recorder = json.loads(line)["ScenarioFinished"].get("recorder", {})
            count += sum(1 for each in recorder.get("interactions", {}).values() if each.get("response"))
print(count)
