"""Strict parsing of JSON and its validation by a model. Each error states its location."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from app.core.errors import MAX_ERRORS, BadBody, ErrorItem, Invalid
from app.core.values.json import to_json_quickly
from app.core.values.links import LinksTo
from app.core.values.text import LANGUAGE_TAG, PLAIN_NAME, SLUG, UNSAFE, Suggestions

MAX_DEPTH = 100
COUNTED_ERRORS = 1_000  # a value with more errors is refused without listing them, because that would take long
MAX_MEMBERS = 1_000  # of one object; records have far fewer

_LANGUAGE = re.compile(LANGUAGE_TAG)
ESCAPED = re.compile(rb"\\[bfru]")  # in JSON: what can be an unsafe character

Model = TypeVar("Model", bound=BaseModel)


def parse_json(body: bytes, model: type[BaseModel]) -> Any:
    """Parse a body; BadBody if it is not strict JSON, Invalid if a text cannot be stored."""
    value = strict_json(body)
    refuse_unsafe(value, model)
    return value


def strict_json(body: bytes) -> Any:
    """Parse UTF-8 JSON; BadBody also for a repeated name or a number that one of the engines cannot store."""
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer, parse_float=_float
        )
    except (ValueError, RecursionError):
        raise BadBody from None


def refuse_unsafe(value: Any, model: type[BaseModel]) -> None:
    """Raise Invalid if a text cannot be stored. Pointers contain only names that the model has."""
    if isinstance(value, str | list | dict):
        safe_json(value, model)


def safe_json(value: Any, model: type[BaseModel]) -> bytes:
    """Return the JSON of a value. Raise as `refuse_unsafe` does.

    Nearly always the JSON proves that all texts can be stored and that the value is not nested too deeply. Otherwise
    each text is examined, which takes ten times as long. A backslash in a text proves nothing.
    """
    content = b""
    try:
        content = to_json_quickly(value)
        opening = content.count(b"{") + content.count(b"[")
        is_safe = opening <= MAX_DEPTH and b"\x7f" not in content and not (b"\\" in content and ESCAPED.search(content))
    except (ValueError, RecursionError):  # it has an unpaired surrogate, or is nested too deeply
        is_safe = False
    errors = () if is_safe else tuple(islice(_unsafe(value, "", 0, _member_names(model)), MAX_ERRORS))
    if errors:
        raise Invalid(*errors)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs) or len(members) > MAX_MEMBERS:
        raise ValueError
    return members


def _refuse(_: str) -> Any:
    raise ValueError


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 20 else 2**63
    if not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _unsafe(value: Any, pointer: str, depth: int, names: frozenset[str]) -> Iterator[ErrorItem]:
    """Yield an error for each text that cannot be stored. An unsafe name is reported at the object that contains it."""
    if depth > MAX_DEPTH:
        raise BadBody
    if isinstance(value, str):
        if UNSAFE.search(value):
            detail = "The text contains a control character or an unpaired surrogate."
            yield ErrorItem(pointer=pointer, code="invalid_value", detail=detail)
        return
    for name, member in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(name, str):
            yield from _unsafe(name, pointer, depth + 1, names)
        if isinstance(member, str | list | dict):
            member_pointer = f"{pointer}/{name}" if isinstance(name, int) or name in names else pointer
            yield from _unsafe(member, member_pointer, depth + 1, names)


def validate(model: type[Model], value: Any) -> Model:
    """Validate a value strictly; Invalid with the errors that the model finds."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        if error.error_count() > COUNTED_ERRORS:
            detail = f"The value has more than {COUNTED_ERRORS} errors."
            raise Invalid(ErrorItem(pointer="", code="invalid_value", detail=detail)) from None
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        suggestions = Suggestions()
        raise Invalid(*(_item(model, item, suggestions) for item in errors[:MAX_ERRORS])) from None


def validate_partly(model: type[Model], value: dict[str, Any], errors: Iterable[ErrorItem]) -> Model | None:
    """Validate only the members without errors, so that rules can examine them; None if this fails too."""
    wrong = {top_member(error) for error in errors}
    names = {field.alias or name for name, field in model.model_fields.items()} - wrong
    try:
        rest = {name: value[name] for name in value if name in names}
        partial: Model = _without_required(model).model_validate(rest, strict=True)
        return partial
    except ValidationError:
        return None


def top_member(error: ErrorItem) -> str:
    """Return the name of the top-level member that an error concerns; empty for the body as a whole."""
    return (error.pointer or "").partition("/")[2].partition("/")[0]


@cache
def _without_required(model: type[Model]) -> type[Model]:
    """Return the model with every field optional. Constraints are dropped, except the types of links."""
    optional: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required():
            links = [mark for mark in field.metadata if isinstance(mark, LinksTo)]
            kind = Annotated[field.annotation, links[0]] if links else field.annotation
            optional[name] = (kind | None, None)  # type: ignore[operator]
    return create_model(f"{model.__name__}InPart", __base__=model, **optional)


def _item(model: type[BaseModel], error: Any, suggestions: Suggestions) -> ErrorItem:
    names = _member_names(model)
    location = list(error["loc"])
    if error["type"] == "extra_forbidden":
        unknown = str(location.pop())
        detail = f"There is no such member here.{suggestions.similar_to(unknown, names)}"
        pointer = _pointer([*location, unknown], names | {unknown} if PLAIN_NAME.fullmatch(unknown) else names)
        return ErrorItem(pointer=pointer, code="unknown_member", detail=detail)
    return ErrorItem(pointer=_pointer(location, names), code="invalid_value", detail=error_detail(error))


def _pointer(location: list[str | int], names: frozenset[str]) -> str:
    """Return a JSON Pointer that ends before the first name that only the client uses, so that it is not repeated."""
    parts = []
    for step in location:
        if isinstance(step, str) and step not in names and not _LANGUAGE.fullmatch(step):
            break
        parts.append(f"/{step}")
    return "".join(parts)


@cache
def _member_names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of all members of a model and of the models inside it."""
    schema = model.model_json_schema()
    names = set(schema.get("properties", ()))
    for nested in schema.get("$defs", {}).values():
        names.update(nested.get("properties", ()))
    return frozenset(names)


# The form of a text in words, instead of the regular expression in the message of pydantic.
FORMS = {
    SLUG: "This is not an id. An id consists of lower-case letters from a to z, digits and single hyphens.",
    LANGUAGE_TAG: "This is not a language code, such as vi or en.",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "This can have only letters from A to Z, digits, full stops, hyphens and _.",
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$": "This is not a code of ISO 3166, such as VN or VN-HN.",
    r"^[0-9a-f]{64}$": "This is not a SHA-256 digest of 64 hexadecimal digits.",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*:.+$": "This is not a scheme with a value, such as vn-legal:202/2025/QH15.",
    r"^[a-z0-9_]+(,[a-z0-9_]+)*$": "This is not a list of names that are separated by commas.",
}
UNKNOWN_FORM = "This does not have the required form. The documentation of the operation describes it."
CHOICES = ("^(", "^-?")  # the start of a regular expression that lists the allowed values

# The expected value in words, instead of a message of pydantic that names types of Python.
EXPECTED = {
    "missing": "This value is required.",
    "dict_type": "Input should be an object",
    "mapping_type": "Input should be an object",
    "model_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
    "dataclass_type": "Input should be an object",
    "list_type": "Input should be a list",
    "tuple_type": "Input should be a list",
    "set_type": "Input should be a list",
    "frozen_set_type": "Input should be a list",
    "none_required": "Input should be null",
    "string_type": "Input should be a string",
    "bool_type": "Input should be true or false",
    "bool_parsing": "Input should be true or false",
    "int_type": "Input should be an integer",
    "int_parsing": "Input should be an integer",
    "int_from_float": "Input should be an integer",
    "int_parsing_size": "The integer is too large",
    "float_type": "Input should be a number",
    "float_parsing": "Input should be a number",
}


def error_detail(error: Any) -> str:
    """Return the message of a pydantic error in plain English. It does not contain the input."""
    message: str = error["msg"]
    if error["type"] in EXPECTED:
        return EXPECTED[error["type"]]
    if error["type"] == "string_pattern_mismatch":
        pattern = message.removeprefix("String should match pattern '").removesuffix("'")
        other = "This is not one of the allowed values." if pattern.startswith(CHOICES) else UNKNOWN_FORM
        return FORMS.get(pattern, other)
    plain = message.removeprefix("Value error, ").partition(" after validation, not ")[0]
    return f"Object{plain.removeprefix('Dictionary')}" if plain.startswith("Dictionary should") else plain
