"""The changes of a JSON Schema in a contract that could break a client.

A schema that clients send breaks them if it accepts less than before. One that the registry returns breaks them if it
allows more types than before, or no longer promises a member. Codes are an exception: a new code breaks nothing,
because lists of codes grow.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

SENT = frozenset({"sent"})
RETURNED = frozenset({"returned"})
SCHEMA = "#/components/schemas/"
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
OTHER_RULES = ("format", "multipleOf", "uniqueItems")
ALTERNATIVES = re.compile(r"\^\(([^()]*)\)(.*)")  # a pattern such as ^(id|-id|title)(,-?id)?$

Node = Mapping[str, Any]


class Schemas:
    """The components of a contract."""

    def __init__(self, document: Node) -> None:
        self._document = document
        self.named: dict[str, Any] = document["components"]["schemas"]

    def resolved(self, node: Any) -> Any:
        """Return what a reference refers to, and anything else as it is."""
        while "$ref" in node:
            target: Any = self._document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def members(self, node: Node) -> tuple[dict[str, Any], set[str]]:
        """Return the properties of a schema and the names of the required ones, also of those that it extends."""
        node = self.resolved(node)
        properties: dict[str, Any] = {}
        required = set(node.get("required", ()))
        for part in node.get("allOf", ()):
            inherited = self.members(part)
            properties |= inherited[0]
            required |= inherited[1]
        return properties | node.get("properties", {}), required

    def uses(self) -> dict[str, frozenset[str]]:
        """Return for each named schema whether clients send it, the registry returns it, or both."""
        uses: dict[str, frozenset[str]] = dict.fromkeys(self.named, frozenset())
        for methods in self._document["paths"].values():
            for operation in methods.values():
                self._mark(uses, [operation.get("requestBody"), operation.get("parameters")], SENT)
                self._mark(uses, operation["responses"], RETURNED)
        return uses

    def _mark(self, uses: dict[str, frozenset[str]], node: Any, use: frozenset[str]) -> None:
        if isinstance(node, list):
            for item in node:
                self._mark(uses, item, use)
        if not isinstance(node, dict):
            return
        reference = str(node.get("$ref", ""))
        name = reference.removeprefix(SCHEMA)
        if reference and not (name in uses and use <= uses[name]):
            if name in uses:
                uses[name] |= use
            self._mark(uses, self.resolved({"$ref": reference}), use)
        self._mark(uses, [*node.values()], use)


def schema_changes(
    old_schemas: Schemas, new_schemas: Schemas, place: str, old: Node, new: Node, use: frozenset[str]
) -> Iterator[str]:
    """Yield each change of a schema that could break a client."""
    if old == new:  # a schema with a name is compared once, under its name
        return
    before = _alternatives(old)
    after = _alternatives(new)
    if "$ref" in old or "$ref" in new or len(before) > 1 or len(after) > 1:
        yield from _type_changes(place, before, after, use)
        for kind in before.keys() & after.keys():
            if "$ref" not in before[kind]:
                yield from schema_changes(old_schemas, new_schemas, place, before[kind], after[kind], use)
        yield from _default_changes(place, old, new)
        return
    yield from _type_changes(place, before, after, use)
    yield from _default_changes(place, old, new)
    yield from _code_changes(place, old, new)
    if "sent" in use:
        yield from _rule_changes(place, old, new)
    yield from _member_changes(old_schemas, new_schemas, place, old, new, use)
    for key, part in (("items", "[]"), ("additionalProperties", ".*"), ("propertyNames", " (names)")):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from schema_changes(old_schemas, new_schemas, f"{place}{part}", old[key], new[key], use)


def _alternatives(node: Node) -> dict[str, Node]:
    """Return the types that a schema allows, by their names."""
    if "anyOf" in node:
        alternatives: dict[str, Node] = {}
        for part in node["anyOf"]:
            alternatives |= _alternatives(part)
        return alternatives
    if "$ref" in node:
        return {str(node["$ref"]).removeprefix(SCHEMA): node}
    kinds = node.get("type", "object" if "allOf" in node or "properties" in node else "anything")
    return dict.fromkeys([kinds] if isinstance(kinds, str) else kinds, node)


def _type_changes(place: str, old: Mapping[str, Node], new: Mapping[str, Node], use: frozenset[str]) -> Iterator[str]:
    removed = old.keys() - new.keys()
    added = new.keys() - old.keys()
    if ("sent" in use and removed) or ("returned" in use and added):
        yield f"{place}: the type changed from {' or '.join(old)} to {' or '.join(new)}"


def _default_changes(place: str, old: Node, new: Node) -> Iterator[str]:
    if old.get("default") != new.get("default"):
        yield f"{place}: the default changed from {old.get('default')} to {new.get('default')}"


def _code_changes(place: str, old: Node, new: Node) -> Iterator[str]:
    if "const" in old and new.get("const") != old["const"]:
        yield f"{place}: the constant {old['const']} changed"
    codes = new.get("enum")
    for code in old.get("enum", ()):
        if codes is not None and code not in codes:
            yield f"{place}: the code {code} was removed"


def _rule_changes(place: str, old: Node, new: Node) -> Iterator[str]:
    """Yield the rules of validation that are new or stricter."""
    for key in (*UPPER, *LOWER, *OTHER_RULES):
        if key in new and _is_stricter(key, old.get(key), new[key]):
            yield f"{place}: {key} is {new[key]} now"
    if "enum" in new and "enum" not in old:
        yield f"{place}: only the codes of a list are accepted now"
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{place}: unknown members are refused now"
    if "pattern" in new and not _accepts_more(old.get("pattern"), new["pattern"]):
        yield f"{place}: the pattern is {new['pattern']} now"


def _is_stricter(key: str, old: Any, new: Any) -> bool:
    if old is None or key in OTHER_RULES:
        return bool(old != new)
    return bool(new < old if key in UPPER else new > old)


def _accepts_more(old: str | None, new: str) -> bool:
    """Return whether a pattern is the same, or the same with more alternatives."""
    if old is None or old == new:
        return old == new
    before = ALTERNATIVES.fullmatch(old)
    after = ALTERNATIVES.fullmatch(new)
    if before is None or after is None or before[2] != after[2]:
        return False
    return set(before[1].split("|")) <= set(after[1].split("|"))


def _member_changes(
    old_schemas: Schemas, new_schemas: Schemas, place: str, old: Node, new: Node, use: frozenset[str]
) -> Iterator[str]:
    before = old_schemas.members(old)
    after = new_schemas.members(new)
    for name, schema in before[0].items():
        if name not in after[0]:
            yield f"{place}.{name}: the member was removed"
        else:
            yield from schema_changes(old_schemas, new_schemas, f"{place}.{name}", schema, after[0][name], use)
    for name in sorted(after[1] - before[1]):
        if "sent" in use:
            yield f"{place}.{name}: the member is required now"
    for name in sorted(before[1] - after[1]):
        if "returned" in use and name in after[0]:
            yield f"{place}.{name}: the member can be missing now"
