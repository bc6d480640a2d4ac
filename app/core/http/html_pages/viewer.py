"""`/docs`: all operations in a list. One that is opened is shown by Swagger UI, which sends requests.

Only the list is loaded at first. Swagger UI takes 17 seconds to show all operations on a phone.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from app.core.errors import NotFound
from app.core.http.html_pages.layout import markdown
from app.core.http.html_pages.reference import Contract, DocumentedOperation, examples_of, operations_of, title_of
from app.core.http.openapi.examples import resolved
from app.core.public_paths import public


def try_it_out_page(contract: Contract) -> str:
    """Return the content of the page. The introduction is folded, so that operations can be seen at once."""
    reference = f'<a href="{public("/reference")}">Reference</a>'
    key_link = f'<a href="{public("/reference")}#authentication-how-to-get-a-key">How to get one</a>'
    sections = "".join(_tag(contract, tag["name"]) for tag in contract["tags"])
    return (
        f"<h1>Try it out</h1><p>Open an operation and press <em>Execute</em>. The values that are filled in work "
        f"with the demonstration data. The {reference} describes all parameters and members.</p>"
        f"<details><summary>Getting started: first request, keys, scopes, pages, filters, synchronisation, errors, "
        f"limits, versions, contact</summary>{markdown(contract['info']['description'])}</details>"
        f'<form id="fields"><label>Filter operations<input type="search" id="filter" '
        f'placeholder="Words, such as: import, history, get figures"></label>'
        f'<label>Key<input type="password" id="key" autocomplete="off" placeholder="hoptac_…"></label></form>'
        f"<p class=muted>A key is only needed to write. {key_link}. It is sent with each request that you execute, "
        f"and forgotten when you close the tab.</p>"
        f"<noscript><p>This page needs JavaScript. The {reference} does not.</p></noscript>"
        f'<div id="docs" data-assets="{public("/docs/assets/")}">{sections}</div>'
        f'<p id="nothing" hidden>No operation has all these words.</p>'
        f'<script src="{public("/docs/assets/docs.js")}"></script>'
    )


class OperationContracts:
    """The contract of each single operation, with the components that it refers to.

    Responses have examples instead of schemas: a record can include records of all resources, and Swagger UI takes many
    seconds to resolve their schemas.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._operations = {operation.name: operation for operation in _requests(contract)}
        self._references: dict[str, frozenset[str]] = {}  # from each component
        for kind, components in contract["components"].items():
            for name, component in components.items():
                self._references[f"#/components/{kind}/{name}"] = frozenset(_references(component))

    def read(self, name: str) -> Contract:
        """Return the contract with one operation; raises NotFound."""
        operation = self._operations.get(name)
        if operation is None:
            raise NotFound("There is no resource at this path.")
        entry = {**operation.entry, "security": []}  # the page adds the key to each request
        responses = operation.entry["responses"]
        entry["responses"] = {status: self._response(reference) for status, reference in responses.items()}
        components: Contract = {}
        for reference in self._all_references(_references(entry)):
            _, _, kind, component = reference.split("/")
            components.setdefault(kind, {})[component] = self._contract["components"][kind][component]
        header = {member: self._contract[member] for member in ("openapi", "info", "servers")}
        return {**header, "paths": {operation.path: {operation.method: entry}}, "components": components}

    def _response(self, reference: Contract) -> Contract:
        response = resolved(self._contract, reference)
        contents = {
            media_type: {"examples": {title: {"value": value} for title, value in examples_of(self._contract, content)}}
            for media_type, content in response.get("content", {}).items()
        }
        return {"description": response["description"], **({"content": contents} if contents else {})}

    def _all_references(self, references: Iterable[str]) -> set[str]:
        """Return references, and those of the components that they lead to."""
        reached = set(references)
        waiting = [*reached]
        while waiting:
            new = self._references[waiting.pop()] - reached
            reached |= new
            waiting += new
        return reached


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _references(item)


def _requests(contract: Contract) -> Iterator[DocumentedOperation]:
    """Yield the operations that a client can request: all but webhooks."""
    return (operation for operation in operations_of(contract) if operation.path.startswith("/"))


def _tag(contract: Contract, tag: str) -> str:
    operations = (operation for operation in _requests(contract) if operation.entry["tags"] == [tag])
    return f'<section><h2 id="{tag}">{title_of(tag)}</h2>{"".join(map(_operation, operations))}</section>'


def _operation(operation: DocumentedOperation) -> str:
    words = f"{operation.entry['tags'][0]} {operation.name}"
    contract = public(f"/docs/operations/{operation.name}.json")
    return (
        f'<details class="operation" id="{operation.name}" data-contract="{contract}" data-words="{escape(words)}">'
        f'<summary><span class="method {operation.method}">{operation.method.upper()}</span> '
        f"<span>{escape(operation.entry['summary'])} "
        f"{operation.shown_path}</span></summary>"
        f'<p><a href="{operation.address}">Its description in the reference</a></p></details>'
    )
