"""Strict JSON checked by a model; every mistake is told by its place."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from app.core.errors import MAX_ERRORS, BadBody, ErrorItem, Invalid
from app.core.values.links import LinksTo
from app.core.values.text import LANGUAGE_TAG, UNSAFE, suggestion

MAX_DEPTH = 100

MAX_MEMBERS = 1_000  # of one object; no record has near as many

_LANGUAGE = re.compile(LANGUAGE_TAG)

Model = TypeVar("Model", bound=BaseModel)


def parse_json(body: bytes, model: type[BaseModel]) -> Any:
    """The value of a body; BadBody when it is no strict JSON, Invalid where a text cannot be stored."""
    value = strict_json(body)
    refuse_unsafe(value, model)
    return value


def strict_json(body: bytes) -> Any:
    """The value of UTF-8 JSON; BadBody when a name comes twice, or a number is none that both engines can hold."""
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer, parse_float=_float
        )
    except (ValueError, RecursionError):
        raise BadBody from None


def refuse_unsafe(value: Any, model: type[BaseModel]) -> None:
    """Invalid where a text in the value cannot be stored, told by its place as far as the model has it."""
    if isinstance(value, str | list | dict):
        errors = list(islice(_unsafe(value, "", 0, _members(model)), MAX_ERRORS))
        if errors:
            raise Invalid(*errors)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) or len(found) > MAX_MEMBERS:
        raise ValueError
    return found


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


def _unsafe(value: Any, at: str, depth: int, known: frozenset[str]) -> Iterator[ErrorItem]:
    """Texts that neither engine could store or show; names with such characters are told by what holds them."""
    if depth > MAX_DEPTH:
        raise BadBody
    if isinstance(value, str):
        if UNSAFE.search(value):
            yield ErrorItem(pointer=at, code="invalid_value", detail="holds a control character or a lone surrogate")
        return
    for name, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(name, str):
            yield from _unsafe(name, at, depth + 1, known)
        if isinstance(each, str | list | dict):
            here = f"{at}/{name}" if isinstance(name, int) or name in known else at
            yield from _unsafe(each, here, depth + 1, known)


def validate(model: type[Model], value: Any) -> Model:
    """The value as the model has it, types taken strictly; Invalid with every mistake that the model finds."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise Invalid(*(_item(model, each) for each in found[:MAX_ERRORS])) from None


def validate_partly(model: type[Model], value: dict[str, Any], errors: Iterable[ErrorItem]) -> Model | None:
    """The value without the members that have errors, for rules to go on with; None when that is no record at all."""
    wrong = {top_member(each) for each in errors}
    names = {field.alias or name for name, field in model.model_fields.items()} - wrong
    try:
        rest = {name: value[name] for name in value if name in names}
        found: Model = _without_required(model).model_validate(rest, strict=True)
        return found
    except ValidationError:
        return None


def top_member(error: ErrorItem) -> str:
    """The member of the body that an error is in; empty: the body as a whole."""
    return (error.pointer or "").partition("/")[2].partition("/")[0]


@cache
def _without_required(model: type[Model]) -> type[Model]:
    """The model with nothing required; what is given was checked before, and links stay links."""
    optional: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required():
            links = [each for each in field.metadata if isinstance(each, LinksTo)]
            kind = Annotated[field.annotation, links[0]] if links else field.annotation
            optional[name] = (kind | None, None)  # type: ignore[operator]
    return create_model(f"{model.__name__}InPart", __base__=model, **optional)


def _item(model: type[BaseModel], error: Any) -> ErrorItem:
    known, place = _members(model), list(error["loc"])
    if error["type"] == "extra_forbidden":
        detail = f"There is no such member here.{suggestion(str(place.pop()), known)}"
        return ErrorItem(pointer=_pointer(place, known), code="unknown_member", detail=detail)
    return ErrorItem(pointer=_pointer(place, known), code="invalid_value", detail=error_detail(error))


def _pointer(place: list[str | int], known: frozenset[str]) -> str:
    """A JSON Pointer as far as it is made of names of ours: names that the sender made up are not repeated."""
    parts = []
    for step in place:
        if isinstance(step, str) and step not in known and not _LANGUAGE.fullmatch(step):
            break
        parts.append(f"/{step}")
    return "".join(parts)


@cache
def _members(model: type[BaseModel]) -> frozenset[str]:
    """Every name of a member that the model or a value in it has."""
    schema = model.model_json_schema()
    return frozenset(
        name for each in (schema, *schema.get("$defs", {}).values()) for name in each.get("properties", ())
    )


def error_detail(error: Any) -> str:
    """What pydantic found wrong, without the input."""
    message: str = error["msg"]
    if error["type"] == "string_pattern_mismatch" and len(message) > 300:
        return "This is not one of the allowed values."
    return message.removeprefix("Value error, ")
