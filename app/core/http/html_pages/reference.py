"""`/reference`: the contract as HTML. One page lists all operations; each tag has a page, and all schemas share one."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

from app.core.errors import NotFound
from app.core.http.html_pages.layout import markdown
from app.core.http.html_pages.schema_types import limits_of, schema_link, type_of
from app.core.http.openapi.examples import resolved
from app.core.public_paths import public

MANY = 10  # parameters: more are folded away at first

Contract = dict[str, Any]


class DocumentedOperation(NamedTuple):
    """An operation of the contract with its path and method. A webhook has no path."""

    method: str
    path: str
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its operationId."""
        name: str = self.entry["operationId"]
        return name

    @property
    def address(self) -> str:
        """The path of its description."""
        return public(f"/reference/{quote(self.entry['tags'][0])}") + f"#{self.name}"

    @property
    def shown_path(self) -> str:
        """The path as HTML. A narrow page breaks it before a slash."""
        return f'<code class="path">{escape(self.path).replace("/", "<wbr>/")}</code>'


def operations_of(contract: Contract) -> Iterator[DocumentedOperation]:
    """Yield all operations and webhooks, in the order of the contract."""
    for place in (contract["paths"], contract.get("webhooks", {})):
        for path, methods in place.items():
            for method, entry in methods.items():
                yield DocumentedOperation(method, path, entry)


def overview_page(contract: Contract) -> str:
    """Return the list of all operations by their tags, after the introduction."""
    info = contract["info"]
    sections = "".join(_tag_entry(contract, tag) for tag in contract["tags"])
    places = {
        "/openapi.json": "openapi.json",
        "/docs/openapi.json": "with examples",
        "/reference/schemas": "Schemas",
        "/docs": "Try it out",
    }
    links = " · ".join(f'<a href="{public(path)}">{name}</a>' for path, name in places.items())
    return (
        f"<h1>Reference</h1><p>Version {escape(info['version'])} · "
        f'<a href="#introduction">Getting started</a> · {links}</p>{sections}'
        f'<div class="text" id="introduction"><h2>Getting started</h2>{markdown(info["description"])}</div>'
    )


def tag_page(contract: Contract, name: str) -> str:
    """Return the operations of a tag; raises NotFound."""
    tags = {tag["name"]: tag for tag in contract["tags"]}
    if name not in tags:
        raise NotFound("There is no resource at this path.")
    operations = [operation for operation in operations_of(contract) if name in operation.entry["tags"]]
    entries = "".join(
        f'<li><a href="#{operation.name}">{escape(operation.entry["summary"])}</a></li>' for operation in operations
    )
    listed = "".join(_operation(contract, operation) for operation in operations)
    heading = f'<h1>{escape(title_of(name))}</h1><div class="text">{markdown(tags[name]["description"])}</div>'
    contents = f'<a href="{public("/reference")}">All operations</a><ul>{entries}</ul>'
    return f'<div class="columns"><nav aria-label="Operations">{contents}</nav><div>{heading}{listed}</div></div>'


def schemas_page(contract: Contract) -> str:
    """Return all schemas with their members."""
    schemas = contract["components"]["schemas"]
    entries = "".join(f'<li><a href="#{name}">{name}</a></li>' for name in schemas)
    listed = "".join(_schema(name, schema) for name, schema in schemas.items())
    contents = f'<a href="{public("/reference")}">All operations</a><ul>{entries}</ul>'
    return f'<div class="columns"><nav aria-label="Schemas">{contents}</nav><div><h1>Schemas</h1>{listed}</div></div>'


def title_of(tag: str) -> str:
    """Return the heading of a tag."""
    return tag.replace("-", " ").capitalize()


def _tag_entry(contract: Contract, tag: Mapping[str, str]) -> str:
    rows = "".join(
        f'<li><span class="method {operation.method}">{operation.method.upper()}</span>'
        f'<span><a href="{operation.address}">{escape(operation.entry["summary"])}</a>'
        f"{operation.shown_path}</span></li>"
        for operation in operations_of(contract)
        if tag["name"] in operation.entry["tags"]
    )
    link = public(f"/reference/{quote(tag['name'])}")
    description = markdown(tag["description"].partition("\n\n")[0])
    return f'<h2><a href="{link}">{title_of(tag["name"])}</a></h2>{description}<ul class="operations">{rows}</ul>'


def _operation(contract: Contract, operation: DocumentedOperation) -> str:
    entry = operation.entry
    parts = [
        f'<section class="operation" id="{operation.name}"><h2>{escape(entry["summary"])}</h2>',
        f'<p><span class="method {operation.method}">{operation.method.upper()}</span>'
        f"{operation.shown_path}{_try_link(operation)}</p>",
        f'<div class="text">{markdown(entry.get("description", ""))}</div>',
        _parameters(contract, entry.get("parameters", ())),
        _body(contract, entry.get("requestBody")),
        _responses(contract, entry.get("responses", {})),
        "</section>",
    ]
    return "".join(parts)


def _try_link(operation: DocumentedOperation) -> str:
    if not operation.path.startswith("/"):
        return ""
    return f' <a href="{public("/docs")}#{operation.name}">Try it out</a>'


def _parameters(contract: Contract, references: Any) -> str:
    parameters = [resolved(contract, reference) for reference in references]
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code>{_needed(parameter.get('required'))}</td>"
        f"<td>{type_of(parameter['schema'])} <span class=muted>{limits_of(parameter['schema'])}</span></td>"
        f"<td>{markdown(parameter.get('description', ''))}{_value(parameter)}</td></tr>"
        for parameter in parameters
    )
    table = _table("<th>Parameter<th>Type<th>Meaning", rows)
    unfolded = " open" if len(parameters) <= MANY else ""
    return f"<details{unfolded}><summary>{_counted(len(parameters), 'parameter')}</summary>{table}</details>"


def _body(contract: Contract, body: Any) -> str:
    if not body:
        return ""
    body = resolved(contract, body)
    return f"<h3>Request body</h3>{markdown(body.get('description', ''))}{_contents(contract, body['content'])}"


def _responses(contract: Contract, responses: Mapping[str, Any]) -> str:
    successes = []
    problems = []
    for status, reference in responses.items():
        response = resolved(contract, reference)
        if status < "300":
            content = _contents(contract, response.get("content", {}))
            successes.append(f"<h3>Response {status}</h3>{markdown(response['description'])}{content}")
        else:
            content = _contents(contract, response.get("content", {}), is_linked=False)
            problems.append(f"<tr><td>{status}</td><td>{markdown(response['description'])}{content}</td></tr>")
    table = _table("<th>Status<th>When", "".join(problems))
    folded = f"<details><summary>Other responses</summary>{table}</details>" if problems else ""
    return f"{''.join(successes)}{folded}"


def _contents(contract: Contract, content: Mapping[str, Any], *, is_linked: bool = True) -> str:
    parts = []
    for media_type, entry in content.items():
        if is_linked:
            type_text = f": {type_of(entry['schema'])}" if "schema" in entry else ""
            parts.append(f"<p><code>{escape(media_type)}</code>{type_text}</p>")
        parts += [
            f"<details><summary>{escape(title)}</summary><pre>{_json(value)}</pre></details>"
            for title, value in examples_of(contract, entry)
        ]
    return "".join(parts)


def examples_of(contract: Contract, entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the examples of a body, or that of its schema."""
    if "example" in entry:
        yield "Example", entry["example"]
        return
    for name, reference in entry.get("examples", {}).items():
        example = resolved(contract, reference)
        yield example.get("summary", f"Example: {name}"), example["value"]
    if "examples" not in entry and (examples := resolved(contract, entry.get("schema", {})).get("examples")):
        yield "Example", examples[0]


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    members = {**schema.get("properties", {})}
    for part in schema.get("allOf", ()):
        members |= part.get("properties", {})
    rows = "".join(
        f"<tr><td><code>{escape(member)}</code>{_needed(member in required)}</td>"
        f"<td>{type_of(schema_of_member)} <span class=muted>{limits_of(schema_of_member)}</span></td>"
        f"<td>{markdown(schema_of_member.get('description', ''))}</td></tr>"
        for member, schema_of_member in members.items()
    )
    table = _table("<th>Member<th>Type<th>Meaning", rows) if rows else f"<p>{type_of(schema)}</p>"
    bases = ", ".join(schema_link(base["$ref"]) for base in schema.get("allOf", ()) if "$ref" in base)
    extended = f"<p>Has all members of {bases}.</p>" if bases and rows else ""
    description = markdown(schema.get("description", ""))
    return f'<section class="operation" id="{name}"><h2>{name}</h2>{description}{extended}{table}</section>'


def _table(head: str, rows: str) -> str:
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _needed(is_required: object) -> str:
    return "<br><span class=muted>required</span>" if is_required else ""


def _value(parameter: Mapping[str, Any]) -> str:
    value = parameter.get("example", next(iter(parameter["schema"].get("examples", ())), None))
    return f"<p class=muted>Example: <code>{escape(str(value))}</code></p>" if value is not None else ""


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _json(value: Any) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2), quote=False)
