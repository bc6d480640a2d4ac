"""What in the contract could break a client of the last release: `python -m tools.breaking_changes`.

It compares openapi.json with the contract of the last release, which `--release` stores anew. A change that is meant is
a line of released/accepted_changes.txt; every other one is an error.

A client breaks if something that it sends is no longer accepted, if something that it reads is missing or has another
type, or if a name in its generated code is gone. New operations, parameters that are not required, members and codes
break nothing. CONTRIBUTING.md has the whole list.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.schema_changes import RETURNED, SENT, Schemas, schema_changes

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "openapi.json"
RELEASED = ROOT / "released" / "contract.json.gz"
ACCEPTED = ROOT / "released" / "accepted_changes.txt"
TEXTS = frozenset({"description", "summary", "example", "examples", "tags", "info", "servers", "x-codelist"})
NAMED = frozenset({"properties", "schemas", "parameters", "responses", "headers", "paths"})  # whose keys are names

Document = dict[str, Any]


def breaking_changes(old: Document, new: Document) -> Iterator[str]:
    """Yield each change from one contract to another that could break a client, as a sentence."""
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            changed = new["paths"].get(path, {}).get(method)
            if changed is None:
                yield f"{place}: the operation was removed"
            else:
                yield from _operation_changes(_Pair(old, new, place), operation, changed)
    yield from _named_changes(old, new)


def without_texts(node: Any, *, is_named: bool = False) -> Any:
    """Return a part of a contract without what only people read."""
    if isinstance(node, list):
        return [without_texts(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_texts(value, is_named=key in NAMED and not is_named)
        for key, value in node.items()
        if is_named or key not in TEXTS
    }


class _Pair:
    """Two contracts, and the operation that is compared."""

    def __init__(self, old: Document, new: Document, place: str) -> None:
        self.old = Schemas(old)
        self.new = Schemas(new)
        self.place = place

    def schema(self, what: str, old: Any, new: Any, use: frozenset[str]) -> Iterator[str]:
        """Yield the changes of the schema of a part of the operation."""
        yield from schema_changes(self.old, self.new, f"{self.place}: {what}", old, new, use)


def _operation_changes(pair: _Pair, old: Document, new: Document) -> Iterator[str]:
    if old["operationId"] != new["operationId"]:
        yield f"{pair.place}: the operationId changed from {old['operationId']} to {new['operationId']}"
    if {} in old["security"] and {} not in new["security"]:
        yield f"{pair.place}: a key is needed now"
    yield from _parameter_changes(pair, old, new)
    yield from _body_changes(pair, old.get("requestBody"), new.get("requestBody"))
    yield from _response_changes(pair, old["responses"], new["responses"])


def _parameter_changes(pair: _Pair, old: Document, new: Document) -> Iterator[str]:
    before = _parameters(pair.old, old)
    after = _parameters(pair.new, new)
    for name, parameter in before.items():
        if name not in after:
            yield f"{pair.place}: the parameter {name} was removed"
        else:
            yield from pair.schema(f"the parameter {name}", parameter["schema"], after[name]["schema"], SENT)
    for name, parameter in after.items():
        if parameter.get("required") and not before.get(name, {}).get("required"):
            yield f"{pair.place}: the parameter {name} is required now"


def _parameters(schemas: Schemas, operation: Document) -> dict[str, Document]:
    resolved = [schemas.resolved(parameter) for parameter in operation.get("parameters", ())]
    return {parameter["name"]: parameter for parameter in resolved}


def _body_changes(pair: _Pair, old: Document | None, new: Document | None) -> Iterator[str]:
    if new is None:
        if old is not None:
            yield f"{pair.place}: the request body was removed"
        return
    if new.get("required") and not (old or {}).get("required"):
        yield f"{pair.place}: a request body is required now"
    yield from _content_changes(pair, "the request body", (old or {}).get("content", {}), new["content"], SENT)


def _response_changes(pair: _Pair, old: Document, new: Document) -> Iterator[str]:
    for status, reference in old.items():
        if status not in new:
            yield f"{pair.place}: the response {status} was removed"
            continue
        before = pair.old.resolved(reference)
        after = pair.new.resolved(new[status])
        for name in before.get("headers", {}):
            if name not in after.get("headers", {}):
                yield f"{pair.place}: the response {status} has no header {name} any more"
        contents = [response.get("content", {}) for response in (before, after)]
        yield from _content_changes(pair, f"the response {status}", contents[0], contents[1], RETURNED)


def _content_changes(pair: _Pair, what: str, old: Document, new: Document, use: frozenset[str]) -> Iterator[str]:
    for media_type, content in old.items():
        if media_type not in new:
            yield f"{pair.place}: {what} has no type {media_type} any more"
        else:
            yield from pair.schema(what, content.get("schema", {}), new[media_type].get("schema", {}), use)


def _named_changes(old: Document, new: Document) -> Iterator[str]:
    before = Schemas(old)
    after = Schemas(new)
    uses = before.uses()
    for name, schema in before.named.items():
        if name not in after.named:
            yield f"{name}: the schema was removed"
        else:
            yield from schema_changes(before, after, name, schema, after.named[name], uses[name])


def unaccepted(changes: Iterator[str], accepted: str) -> tuple[list[str], list[str]]:
    """Return the changes that are not accepted, and the accepted ones that do not exist."""
    lines = dict.fromkeys(line for line in accepted.splitlines() if line and not line.startswith("#"))
    existing = dict.fromkeys(changes)
    return [change for change in existing if change not in lines], [line for line in lines if line not in existing]


def stored(document: Mapping[str, Any]) -> bytes:
    """Return a contract as it is stored: without texts, and compressed."""
    return gzip.compress(json.dumps(without_texts(document), ensure_ascii=False).encode(), mtime=0)


def read_stored(content: bytes) -> Document:
    """Return a stored contract."""
    document: Document = json.loads(gzip.decompress(content))
    return document


def main() -> int:
    """Print the breaking changes, or store the contract as that of a release."""
    contract = json.loads(CONTRACT.read_text("utf-8"))
    if "--release" in sys.argv:
        RELEASED.write_bytes(stored(contract))
        comments = [line for line in ACCEPTED.read_text("utf-8").splitlines() if line.startswith("#")]
        ACCEPTED.write_text("".join(f"{line}\n" for line in comments), "utf-8")
        return 0
    changes = breaking_changes(read_stored(RELEASED.read_bytes()), contract)
    new, stale = unaccepted(changes, ACCEPTED.read_text("utf-8"))
    for change in new:
        sys.stderr.write(f"breaking: {change}\n")
    for line in stale:
        sys.stderr.write(f"accepted_changes.txt has a change that does not exist: {line}\n")
    if new:
        sys.stderr.write("These changes break clients of the last release: see CONTRIBUTING.md, “Breaking changes”.\n")
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
