"""The examples of the OpenAPI document: values with which each operation works, and answers of a registry.

An example of a request never publishes anything: records are drafts with invented names, under ids such as
`example-project`. `tests/contract.py` makes the answers by running all operations on the dataset.

The pages have these examples. `/openapi.json` does not: they are half as long as the contract itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.core.errors import PROBLEM_JSON, ErrorItem, Invalid, Problem, family
from app.core.model.resource import Resource
from app.core.writing.representation import writable_members

Document = dict[str, Any]

INVENTED = {"vi": "Ví dụ (bản nháp không có thật)", "en": "Example (an invented draft)"}
UNIQUE = ("identifiers", "code")  # members of which no two records have the same
PAGE_SIZE = 2  # records on a page that is tried out
INVALID = Invalid(
    ErrorItem(parameter="limit", code="invalid_value", detail="Input should be greater than or equal to 1")
)


class Examples(NamedTuple):
    """What the examples of a document are made from."""

    records: Mapping[str, Any]  # a record of each resource
    requests: Mapping[str, Any]  # parameters and bodies of operations that need special ones
    answers: Mapping[str, Any]  # responses of operations


def add_examples(document: Document, resources: Sequence[Resource], examples: Examples) -> None:
    """Add to each operation a request with which it works, and what a registry answers."""
    for resource in resources:
        if resource.name in examples.records:
            _add_record(document, resource, examples.records[resource.name])
    _add_requests(document, examples.requests)
    _add_responses(document, examples.answers)


def _add_requests(document: Document, requests: Mapping[str, Any]) -> None:
    """Add to each operation the parameters and the body with which it works. `requests` are those of single ones."""
    for operation in operations_in(document):
        written = requests.get(operation["operationId"], {})
        if "body" in written:
            content = operation["requestBody"]["content"]
            for media_type in content if isinstance(written["body"], dict) else written.get("type", ()):
                content[media_type] = content[media_type] | {"example": written["body"]}
        _prefill(document, operation, {"limit": PAGE_SIZE, **written.get("parameters", {})})


def _add_responses(document: Document, answers: Mapping[str, Any]) -> None:
    """Add an answer to the schema of each response, and to each response that is a problem this problem."""
    schemas = document["components"]["schemas"]
    for operation in operations_in(document):
        answer = answers.get(operation["operationId"])
        reference = response_schema(document, operation)
        if answer is not None and reference is not None:
            schemas[reference].setdefault("examples", [answer])
    problems = {problem.status: problem() for problem in reversed([*family()])}
    problems[Invalid.status] = INVALID
    for operation in operations_in(document):
        for status, response in operation["responses"].items():
            _add_problem(resolved(document, response), status, problems)


def operations_in(document: Document) -> Iterator[Document]:
    """Yield the operations of the document."""
    for methods in document["paths"].values():
        yield from methods.values()


def resolved(document: Document, node: Document) -> Document:
    """Return what a reference refers to, and anything else as it is."""
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def response_schema(document: Document, operation: Document) -> str | None:
    """Return the name of the schema of a successful response with JSON, if it has a name."""
    for status, response in operation["responses"].items():
        schema = resolved(document, response).get("content", {}).get("application/json", {}).get("schema", {})
        if status < "300" and "$ref" in schema:
            name: str = schema["$ref"].rpartition("/")[2]
            return name
    return None


def example_draft(resource: Resource, record: Mapping[str, Any]) -> Document:
    """Return the body of a draft: the example of a resource with invented names, and without identifiers."""
    fields = resource.fields.model_fields
    draft: Document = {}
    for name, value in writable_members(record).items():
        if name in resource.names:
            invented = INVENTED if isinstance(value, dict) else None
        else:
            invented = None if name in UNIQUE else value
        if invented is not None and invented != fields[name].get_default(call_default_factory=True):
            draft[name] = invented
    return draft | {"state": "draft"}


def _add_record(document: Document, resource: Resource, record: Mapping[str, Any]) -> None:
    """Show a record where one is read, and an invented draft where one is written."""
    schemas = document["components"]["schemas"]
    schemas[resource.shown.__name__]["examples"] = [record]
    schemas[resource.fields.__name__]["examples"] = [example_draft(resource, record)]
    path = document["paths"][f"/v1/{resource.name}/{{{resource.one}_id}}"]
    for method in ("put", "patch", "delete"):
        values = {f"{resource.one}_id": f"example-{resource.one}"}
        if method != "put":
            values["If-Match"] = "*"
        _prefill(document, path[method], values)
    change: Document = dict.fromkeys(resource.names[:1], INVENTED) or {"state": "draft"}
    for content in path["patch"]["requestBody"]["content"].values():
        content["example"] = change


def _prefill(document: Document, operation: Document, values: Mapping[str, Any]) -> None:
    """Give parameters of one operation these examples, and the required ones those of their schemas."""
    shared = document["components"]["parameters"]
    for reference in operation.get("parameters", ()):
        parameter = resolved(document, reference)
        value = values.get(parameter["name"])
        if value is None:
            if parameter.get("required") and parameter["schema"].get("examples"):
                parameter.setdefault("example", parameter["schema"]["examples"][0])
        elif parameter["name"] == "limit":  # of all lists
            parameter["example"] = value
        else:
            reference["$ref"] = f"#/components/parameters/{_own_parameter(shared, parameter, value)}"


def _own_parameter(shared: Document, parameter: Document, value: Any) -> str:
    """Return the name of a shared parameter with this example, which is added unless there is one."""
    name = f"example_{parameter['name']}"
    prefilled = parameter | {"example": value}
    while shared.setdefault(name, prefilled) != prefilled:
        name = f"other_{name}"
    return name


def _add_problem(response: Document, status: str, problems: Mapping[int, Problem]) -> None:
    content = response.get("content", {}).get(PROBLEM_JSON)
    if content is None or content.keys() & {"example", "examples"}:
        return
    if status == "default":
        examples = {str(number): {"value": problem.as_dict()} for number, problem in sorted(problems.items())}
        response["content"] = {PROBLEM_JSON: content | {"examples": examples}}
    else:
        response["content"] = {PROBLEM_JSON: content | {"example": problems[int(status)].as_dict()}}
