"""Parameters and responses that several operations have: components, which the operations refer to."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.core.errors import PROBLEM_JSON, Conflict, Gone, Moved, NoCondition, NotFound, Problem, Stale
from app.core.http.bodies import JSON
from app.core.http.openapi.named import REFERENCE

# The problems that say something about an operation. Every other one can come from any operation.
TELLING: tuple[type[Problem], ...] = (Moved, NotFound, Conflict, Gone, Stale, NoCondition)

_PROBLEM = {PROBLEM_JSON: {"schema": {"$ref": REFERENCE.format(model="ProblemShown")}}}
ANY_PROBLEM = "Problem"
NOT_MODIFIED = "NotModified"
RESPONSES: dict[str, dict[str, Any]] = {
    ANY_PROBLEM: {
        "description": "Any other problem, such as 401, 422, 429 or 503. Its `code` says which one. `/problems` "
        "explains each code.",
        "headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
        "content": _PROBLEM,
    },
    NOT_MODIFIED: {"description": "Not modified: the client's copy, with the ETag in If-None-Match, is current."},
    **{
        kind.__name__: {"description": (kind.__doc__ or "").partition("\n")[0], "content": _PROBLEM} for kind in TELLING
    },
}
RESPONSES[Moved.__name__]["headers"] = {"Location": {"$ref": "#/components/headers/Location"}}
RESPONSES[Stale.__name__]["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
_STATUS_NAMES = {"201": "Created", "202": "Accepted"}
HEADERS = {
    "ETag": {
        "description": "Version of this response, for If-None-Match. With 412: the current version, for If-Match.",
        "schema": {"type": "string"},
    },
    "Hoptac-Sequence": {
        "description": "Number of a Change. The response is what the registry returned directly after it. A client that"
        " sends it as the header `Hoptac-At-Least` of later requests sees no earlier state, whichever server answers.",
        "schema": {"type": "integer"},
    },
    "Link": {"description": 'The next page of a list, with `rel="next"` (RFC 8288).', "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds after which the request can be repeated, with 429 and 503.",
        "schema": {"type": "integer"},
    },
    "Location": {"description": "Path of the record, or of the import.", "schema": {"type": "string"}},
}


def shared(component: str) -> dict[str, str]:
    """Return a reference to a component, such as `responses/Problem`."""
    return {"$ref": f"#/components/{component}"}


class Use(NamedTuple):
    """One operation of the document, with its path and method."""

    path: str
    method: str
    operation: dict[str, Any]


def share_parameters(uses: Sequence[Use]) -> dict[str, Any]:
    """Replace the parameters of operations by references; return the parameters, each once.

    A component has the name of its parameter. Where parameters of one name differ, its name starts with the path that
    it belongs to: `projects_status` is the parameter `status` of lists of projects.
    """
    versions: dict[str, dict[str, list[Use]]] = {}
    for use in uses:
        for parameter in use.operation.get("parameters", ()):
            versions.setdefault(parameter["name"], {}).setdefault(_text(parameter), []).append(use)
    names: dict[str, str] = {}
    for name, texts in versions.items():
        names |= dict(_named(name, texts))
    components: dict[str, Any] = {}
    for use in uses:
        parameters = use.operation.get("parameters", [])
        components |= {names[_text(parameter)]: parameter for parameter in parameters}
        parameters[:] = [{"$ref": f"#/components/parameters/{names[_text(parameter)]}"} for parameter in parameters]
    return dict(sorted(components.items()))


def share_responses(uses: Sequence[Use]) -> dict[str, Any]:
    """Replace equal successful responses of several operations by references; return these responses.

    Each is named after its schema: `ProjectPage`, `Project` and, where it is created, `ProjectCreated`.
    """
    numbers: Counter[str] = Counter()
    for use in uses:
        numbers.update(map(_text, use.operation.get("responses", {}).values()))
    components: dict[str, Any] = {}
    for use in uses:
        responses = use.operation.get("responses", {})
        for status, response in responses.items():
            name = _name_of_response(status, response)
            if name and numbers[_text(response)] > 1 and components.setdefault(name, response) == response:
                responses[status] = shared(f"responses/{name}")
    return components


def _name_of_response(status: str, response: Mapping[str, Any]) -> str:
    """Return the name of the component of a response, or an empty text if it is better repeated."""
    contents = response.get("content", {})
    schema = contents.get(JSON, {}).get("schema", {}).get("$ref", "")
    if schema:
        return f"{schema.rpartition('/')[2].removesuffix('Shown')}{_STATUS_NAMES.get(status, '')}"
    return "File" if contents else ""


def _named(name: str, versions: Mapping[str, Sequence[Use]]) -> Iterator[tuple[str, str]]:
    """Yield each version of a parameter with the name of its component. The usual version has the plain name."""
    number = sum(map(len, versions.values()))
    used_names: set[str] = set()
    for text, uses in versions.items():
        shortest = min(uses, key=lambda use: len(use.path))
        component = name if 2 * len(uses) > number else f"{_owner(shortest)}_{name}"
        if component in used_names:
            component = f"{shortest.operation['operationId']}_{name}"
        used_names.add(component)
        yield text, component


def _owner(use: Use) -> str:
    """Return what a parameter belongs to: `projects`, `figures_aggregate`; for a write, its method."""
    if use.method != "get":
        return use.method
    path = re.sub(r"\.?\{\w+\}", "", use.path)
    return "_".join(filter(None, re.sub(r"[-.]", "_", path).split("/")[2:]))


def _text(component: Mapping[str, Any]) -> str:
    return json.dumps(component, sort_keys=True)
