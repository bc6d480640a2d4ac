"""The parts of a record that its citations support, and those for which all citations are inferred.

A citation names a part by a field (`roles`) or by a JSON Pointer (`/roles/2`). A dotted name (`roles.partner`) stands
for this member of each item of the list. A citation that names no part supports the whole record.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.core.values.evidence import Citation

INFERRED = frozenset({"inferred"})


def supported_field(name: str) -> str:
    """Return the field to which a supported part belongs: `roles` for `/roles/2` and for `roles.partner`."""
    if name.startswith("/"):
        return _unescaped(name[1:].partition("/")[0])
    return name.partition(".")[0]


def parts_named(name: str, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the JSON Pointers of the parts that a name or pointer stands for; none if it leads nowhere."""
    if name.startswith("/"):
        yield from _leading_to(record, [_unescaped(step) for step in name[1:].split("/")], "", in_lists=False)
    else:
        yield from _leading_to(record, name.split("."), "", in_lists=True)


def inferred_parts(citations: Iterable[Citation], record: Mapping[str, Any]) -> list[str]:
    """Return the JSON Pointers of the parts that only citations with the basis `inferred` support.

    A citation of a part also supports everything inside the part, unless another citation supports a smaller part.
    Therefore, if only some items of a list are inferred, the result has these items and not the list.
    """
    support: dict[str, set[str]] = {}
    for name, basis in _distinct_names(citations):
        for pointer in parts_named(name, record) if name else [""]:
            support.setdefault(pointer, set()).add(basis)
    divided = {""}
    for pointer in support:
        divided.update(pointer[:end] for end, sign in enumerate(pointer) if sign == "/")
    return list(_inferred(record, "", frozenset(), support, divided))


def _distinct_names(citations: Iterable[Citation]) -> set[tuple[str, str]]:
    """Return each supported name with each of its bases, once."""
    names: set[tuple[str, str]] = set()
    for citation in citations:
        names.update((name, citation.basis) for name in citation.supports or [""])
    return names


def _inferred(
    value: Any, pointer: str, bases: Iterable[str], support: Mapping[str, set[str]], divided: set[str]
) -> Iterator[str]:
    bases = support.get(pointer, bases)
    if pointer not in divided:
        if bases == INFERRED and value not in (None, [], {}):
            yield pointer
        return
    for key, member in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from _inferred(member, f"{pointer}/{_escaped(key)}", bases, support, divided)


def _leading_to(value: Any, steps: list[str], pointer: str, *, in_lists: bool) -> Iterator[str]:
    if not steps:
        yield pointer
    elif isinstance(value, list) and in_lists:
        for position, item in enumerate(value):
            yield from _leading_to(item, steps, f"{pointer}/{position}", in_lists=in_lists)
    elif isinstance(value, list):
        if steps[0] in map(str, range(len(value))):
            yield from _leading_to(value[int(steps[0])], steps[1:], f"{pointer}/{steps[0]}", in_lists=in_lists)
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _leading_to(value[steps[0]], steps[1:], f"{pointer}/{_escaped(steps[0])}", in_lists=in_lists)


def _escaped(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
