"""Write the typed part of the Python client from the contract: its models, and the lists of each resource.

`make contract` writes the files, and `make check` compares them (`tests/contract.py`).
"""

import json
import subprocess
import sys
import textwrap
from keyword import iskeyword
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "openapi.json"
PACKAGE = ROOT / "clients" / "python" / "hoptac_client"

LONG_LIST = 60  # a list with more codes is `str` in the client; the registry checks its codes
OWN_ARGUMENTS = {"cursor", "fields", "include", "limit", "q", "total", "after", "chain", "wait"}
PAGES = ("SearchPage", "TimelinePage", "AuditPage", "ProgressPage", "HistoryPage", "ChangesPage")
OTHERS = ("FacetsShown", "WholeProgress", "ProblemShown", "Event", *PAGES)
FILTERS = {"search": "SearchFilters", "read_timeline": "TimelineFilters", "read_changes": "FeedFilters"}
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

MODELS_HEAD = '''"""The types of records, pages and filters. Written from the contract by `tools/python_client.py`.

They describe what a registry of this version sends. A later version can add members and codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict
'''
RECORDS_HEAD = '''"""The lists and details of each resource. Written from the contract by `tools/python_client.py`."""

from typing import Any, Unpack, overload

from hoptac_client import models
from hoptac_client.listings import AsyncListing, Listing
from hoptac_client.resources import AsyncResource, FieldsOf, Names, Resource
from hoptac_client.sessions import AsyncSession, Session
'''
RESOURCE = '''
class {prefix}{plural}({prefix}Resource[models.{one}, models.{one}Detail, models.{one}Fields, models.{one}Changes]):
    """List {name}, or read and write single ones."""

    name = "{name}"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.{one}Filters],
    ) -> {prefix}Listing[models.Partial{one}, models.Partial{one}Page]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.{one}Filters]
    ) -> {prefix}Listing[models.{one}, models.{one}Page]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List {name}. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)

'''
METHOD = '''
    {prefix}def {one}(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.{type}Detail:
        """Return one record, with the linked records that `include` names."""
        record, _ = {wait}self.{name}.read(id, include, **params)
        return record
'''


class Contract:
    """The contract, and the Python types of its schemas."""

    def __init__(self) -> None:
        document = json.loads(CONTRACT.read_text("utf-8"))
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self.parameters: dict[str, Any] = document["components"]["parameters"]
        self.operations: dict[str, Any] = {}
        for path in document["paths"].values():
            self.operations |= {operation["operationId"]: operation for operation in path.values()}
        self.needed: list[str] = []  # schemas of which the client has a class
        self.code_lists: set[str] = set()

    def resources(self) -> list[tuple[str, str]]:
        """Return the plural and the name of the schema of each resource."""
        plurals = [name.removeprefix("select_") for name in self.operations if name.startswith("select_")]
        return [(plural, plural.removesuffix("s").capitalize()) for plural in plurals]

    def members(self, name: str) -> tuple[dict[str, Any], set[str]]:
        """Return the members of an object with those of the schemas that it extends, and the required ones."""
        return self._members(self.schemas[name])

    def _members(self, schema: Any) -> tuple[dict[str, Any], set[str]]:
        members: dict[str, Any] = {}
        required = set(schema.get("required", ()))
        for part in schema.get("allOf", ()):
            extended = self.schemas[_target(part)] if "$ref" in part else part
            inherited, needed = self._members(extended)
            members |= inherited
            required |= needed
        return members | schema.get("properties", {}), required

    def annotation(self, schema: Any) -> str:
        """Return the Python type of a schema."""
        if "$ref" in schema:
            return self._named(_target(schema))
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            return " | ".join(dict.fromkeys(self.annotation(alternative) for alternative in alternatives))
        if "const" in schema:
            return f"Literal[{json.dumps(schema['const'])}]"
        if "enum" in schema:
            return _literal(schema["enum"])
        if schema.get("type") == "array":
            items = schema.get("items", {})
            return f"list[{'Any' if 'prefixItems' in items else self.annotation(items)}]"
        if schema.get("type") == "object":
            values = schema.get("additionalProperties")
            return f"dict[str, {self.annotation(values) if isinstance(values, dict) else 'Any'}]"
        return SIMPLE.get(str(schema.get("type")), "Any")

    def _named(self, name: str) -> str:
        schema = self.schemas[name]
        if "enum" in schema and len(schema["enum"]) <= LONG_LIST:
            self.code_lists.add(name)
            return name
        if not self.members(name)[0]:
            return self.annotation(schema)
        if name not in self.needed:
            self.needed.append(name)
        return _class_name(name)


def _target(reference: Any) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _class_name(schema: str) -> str:
    return schema.removesuffix("Shown")


def _literal(codes: list[str]) -> str:
    return "str" if len(codes) > LONG_LIST else f"Literal[{', '.join(map(json.dumps, codes))}]"


def _class(name: str, members: dict[str, str], docstring: str) -> str:
    """Return a class; a member that is a keyword of Python needs another syntax."""
    if any(iskeyword(member) for member in members):
        pairs = "\n".join(f"        {json.dumps(member)}: {json.dumps(value)}," for member, value in members.items())
        return f'{name} = TypedDict(\n    "{name}",\n    {{\n{pairs}\n    }},\n)\n'
    lines = "\n".join(f"    {member}: {annotation}" for member, annotation in members.items())
    return f'class {name}(TypedDict):\n    """{docstring}"""\n\n{lines}\n'


def _first_sentence(description: str) -> str:
    """Return the first sentence of a description."""
    first = description.partition("\n\n")[0].partition(". ")[0].removesuffix(".")
    return textwrap.shorten(first, 110, placeholder=" …") + "."


def _object(contract: Contract, schema: str, name: str | None = None, *, writable: bool = False) -> str:
    """Return the class of an object. A writer can also send a date as a string."""
    members, required = contract.members(schema)
    annotations: dict[str, str] = {}
    for member, value in members.items():
        annotation = contract.annotation(value)
        if writable:
            annotation = annotation.replace("Edtf", "Edtf | str")
        is_required = member in required and not (name or "").endswith("Changes")
        annotations[member] = annotation if is_required else f"NotRequired[{annotation}]"
    return _class(name or _class_name(schema), annotations, _first_sentence(contract.schemas[schema]["description"]))


def _filters(contract: Contract, operation: str, name: str, docstring: str) -> str:
    """Return the class of the parameters of a list."""
    filters: dict[str, str] = {}
    for reference in contract.operations[operation]["parameters"]:
        parameter = contract.parameters[_target(reference)]
        if parameter["name"] in OWN_ARGUMENTS or parameter["in"] != "query":
            continue
        annotation = contract.annotation(parameter["schema"])
        if annotation.startswith("list["):
            item = annotation.removeprefix("list[").removesuffix("]")
            annotation = f"{item} | Sequence[{item}]"
        filters[parameter["name"]] = f"NotRequired[{annotation}]"
    return _class(name, filters, docstring)


def models() -> str:
    """Return the module with the types of records, pages and filters."""
    contract = Contract()
    classes = [_filters(contract, operation, name, "Filters, see `/reference`.") for operation, name in FILTERS.items()]
    for name in OTHERS:
        contract.annotation({"$ref": f"#/components/schemas/{name}"})
    for plural, schema in contract.resources():
        for name in (f"{schema}Shown", f"{schema}Detail", f"Partial{schema}", f"{schema}Page", f"Partial{schema}Page"):
            contract.annotation({"$ref": f"#/components/schemas/{name}"})
        classes.append(_filters(contract, f"list_{plural}", f"{schema}Filters", f"Filters of the list of {plural}."))
        classes.append(_object(contract, f"{schema}Fields", writable=True))
        classes.append(_object(contract, f"{schema}Fields", f"{schema}Changes", writable=True))
    classes.append(_filters(contract, "read_project", "DetailParams", "Parameters of a detail."))
    for name in contract.needed:  # grows while the members of its schemas are read
        classes.append(_object(contract, name))
    aliases = [
        f"{name} = {contract.annotation({'enum': contract.schemas[name]['enum']})}"
        for name in sorted(contract.code_lists)
    ]
    return formatted("\n\n".join([MODELS_HEAD + "\n" + "\n".join(aliases), *sorted(classes)]))


def records() -> str:
    """Return the module with the lists and details of each resource."""
    resources = Contract().resources()
    parts = [RECORDS_HEAD]
    for prefix in ("", "Async"):
        for plural, schema in resources:
            parts.append(RESOURCE.format(prefix=prefix, plural=plural.capitalize(), name=plural, one=schema))
        parts.append(_client(prefix, resources))
    return formatted("\n".join(parts))


def _client(prefix: str, resources: list[tuple[str, str]]) -> str:
    """Return the part of a client that has all resources."""
    attributes = [f"self.{plural} = {prefix}{plural.capitalize()}(session)" for plural, _ in resources]
    head = f'''
class {prefix}Records:
    """The resources of a registry."""

    def __init__(self, session: {prefix}Session) -> None:
        """Add the resources."""
        {"".join(f"{attribute}{chr(10)}        " for attribute in attributes).rstrip()}
'''
    methods = [
        METHOD.format(
            prefix="async " if prefix else "",
            wait="await " if prefix else "",
            one=schema.lower(),
            type=schema,
            name=plural,
        )
        for plural, schema in resources
    ]
    return "".join([head, *methods])


def formatted(source: str) -> str:
    """Return a module as `make check` wants it."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(PACKAGE / "models.py"), "-"]
    return subprocess.run(command, input=source, text=True, capture_output=True, check=True, cwd=ROOT).stdout


FILES = {PACKAGE / "models.py": models, PACKAGE / "records.py": records}
