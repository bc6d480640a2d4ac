"""The committed contract: `python -m tests.contract` writes it, `--check` compares it, `--size` prints its size."""

import gzip
import json
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from app.catalogue import RESOURCES
from app.core.http.openapi.examples import Examples, add_examples, operations_in, response_schema
from app.core.settings import Settings
from app.core.writing.representation import render
from app.exchange.iati.extension.schema import extension_schema
from app.main import assemble, written_contract
from seed.files import read
from tests.support.prefilled import run_on_dataset
from tools import python_client

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "openapi.json"
EXAMPLES = ROOT / "app" / "examples.json"
REQUESTS = ROOT / "app" / "request_examples.json"
ANSWERS = ROOT / "app" / "answers.json"
IATI_EXTENSION = ROOT / "app" / "exchange" / "iati" / "extension" / "extension.xsd"
INSTANT = "2026-11-22T00:00:00.000000Z"

# Values that differ in each registry, and what an example has in their place.
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), INSTANT),
    (re.compile(r"^\d{20}[0-9a-z]{12}$"), "20261122000000000000hhzezrocckqp"),
    (re.compile(r"chain=[0-9a-f]{8}"), "chain=03c749e3"),
    (re.compile(r"cursor=[^&]+"), "cursor=<cursor>"),
)


def examples() -> str:
    """A record of each resource: the one that it declares, or one of the dataset."""
    records = read().records
    shown: dict[str, Any] = {}
    for resource in RESOURCES:
        fields = resource.own_example() or records[resource.name, resource.example]
        shown[resource.name] = json.loads(render(resource, resource.example, fields, 1, INSTANT, INSTANT))
    return json.dumps(shown, ensure_ascii=False, indent=1) + "\n"


def answers() -> str:
    """What a registry with the dataset answers: one answer for each schema of a response without an example."""
    document = with_examples(json.loads(contract()), {})
    operations = {operation["operationId"]: operation for operation in operations_in(document)}
    found: dict[str, tuple[str, Any]] = {}
    for request, response in run_on_dataset(document):
        schema = response_schema(document, operations[request.name])
        if schema not in found and schema is not None and "examples" not in document["components"]["schemas"][schema]:
            assert response.status_code < 300, (request.name, response.text)
            found[schema] = (request.name, fixed(response.json()))
    return json.dumps(dict(sorted(found.values())), ensure_ascii=False, indent=1) + "\n"


def fixed(value: Any) -> Any:
    """An answer with the first object of each list, and without what differs in each registry."""
    if isinstance(value, dict):
        return {name: fixed(member) for name, member in value.items()}
    if isinstance(value, list):
        shown = value[:1] if value and isinstance(value[0], dict) else value
        return [fixed(item) for item in shown]
    if isinstance(value, str):
        for pattern, text in VARYING:
            value = pattern.sub(text, value)
    return value


def written() -> dict[str, Any]:
    """The OpenAPI document of the default settings."""
    settings = Settings.model_construct()
    return written_contract(settings, assemble(settings)[1])


def with_examples(document: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    """The document with the committed examples of requests, and these answers."""
    records = json.loads(EXAMPLES.read_text("utf-8"))
    requests = json.loads(REQUESTS.read_text("utf-8"))
    add_examples(document, RESOURCES, Examples(records, requests, answered))
    return document


def committed_with_examples() -> dict[str, Any]:
    """The committed document with the committed examples, as the pages show it."""
    return with_examples(json.loads(CONTRACT.read_text("utf-8")), json.loads(ANSWERS.read_text("utf-8")))


@cache
def contract() -> str:
    """The OpenAPI document as it is committed."""
    return json.dumps(written(), ensure_ascii=False, indent=1) + "\n"


FILES: dict[Path, Callable[[], str]] = {
    EXAMPLES: examples,
    CONTRACT: contract,
    ANSWERS: answers,
    IATI_EXTENSION: extension_schema,
    **python_client.FILES,  # from the contract that was just written
}


def size() -> str:
    """The size of the document as it is served, without spaces."""
    served = json.dumps(json.loads(CONTRACT.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")).encode()
    return f"{len(served) / 1000:.0f} kB served, {len(gzip.compress(served)) / 1000:.0f} kB with gzip"


def main() -> int:
    """Write or compare the files, or print the size of the document."""
    if "--size" in sys.argv:
        sys.stdout.write(f"{size()}\n")
        return 0
    stale = []
    for path, content in FILES.items():
        if "--check" not in sys.argv:
            path.write_text(content(), "utf-8")
        elif not path.exists() or path.read_text("utf-8") != content():
            stale.append(path.name)
    for name in stale:
        sys.stderr.write(f"{name} is not what the program says: see the difference after `make contract`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
