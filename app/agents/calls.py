"""One call of a tool: its arguments are checked, its answer is bounded, and a refusal says how to call instead."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import chain
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from app.agents.definitions import Tool
from app.agents.drafts import Writer, draft_record, example_record
from app.agents.pages import MAX_TOKENS, Answer, Position, filled, position_of, tokens_of
from app.agents.refusals import UNAVAILABLE, Ambiguous, Refusal
from app.agents.registry import Registry, refused_read
from app.core.values.json import to_json
from app.core.values.text import UNSAFE
from app.explorer.reads import ReadFailed

MAX_TRIALS = 3  # of arguments that a refusal proposes
MAX_LEVELS = 20  # of a record
MAX_MISTAKES = 8  # stated in a refusal
MAX_NAMED = 40  # characters of an unknown name that are compared with those of the arguments

Arguments = Mapping[str, Any]


class Result(NamedTuple):
    """The answer to a call, and whether it was refused."""

    body: dict[str, Any]
    is_refused: bool = False


async def call(tool: Tool, arguments: Arguments, registry: Registry, writer: Writer) -> Result:
    """Return the answer of a tool to these arguments. A refusal contains arguments that were tried and work."""
    try:
        return Result(await _answer(tool, arguments, registry, writer))
    except Refusal as refusal:
        body = refusal.as_dict(arguments)
        if tool.run is not None and refusal.code != UNAVAILABLE:
            body["try"] = await _working(tool, body["try"], registry, writer)
        if tokens_of(to_json(body).decode()) > MAX_TOKENS:  # a large record is not repeated
            del body["try"]
        return Result(body, is_refused=True)


async def _working(tool: Tool, arguments: Arguments, registry: Registry, writer: Writer) -> Arguments:
    """Return arguments with which the call succeeds: those proposed, with what else has to change in them."""
    for _ in range(MAX_TRIALS):
        try:
            await _answer(tool, arguments, registry, writer)
            return arguments
        except Refusal as refusal:
            arguments = refusal.as_dict(arguments)["try"]
    return {name: await _example(tool, name, None, registry) for name in tool.required}


async def _answer(tool: Tool, arguments: Arguments, registry: Registry, writer: Writer) -> dict[str, Any]:
    await _check(tool, arguments, registry)
    position = position_of(arguments.get("more"))
    if position is None:
        raise Refusal("bad_cursor", "`more` is not a `next` of this tool.", "Leave it out.", {"more": None})
    try:
        return await filled(await _run(tool, arguments, registry, writer), position)
    except ReadFailed as failure:
        raise refused_read(failure) from None
    except Ambiguous as ambiguous:
        reason = f"No record has exactly this {ambiguous.argument}. Call again with the id of a candidate."
        return await filled(Answer({"reason": reason, "candidates": ambiguous.candidates}), Position())


async def _run(tool: Tool, arguments: Arguments, registry: Registry, writer: Writer) -> Answer:
    if tool.run is None:
        return await draft_record(registry, writer, arguments)
    return await tool.run(registry, arguments)


async def _check(tool: Tool, arguments: Arguments, registry: Registry) -> None:
    """Raise a refusal if the arguments do not have the schema of the tool."""
    mistakes = _mistakes(arguments, tool.input_schema)
    if not mistakes:
        return
    changes: dict[str, Any] = dict.fromkeys(mistakes)
    wrong = tool.required if tool.run is None else changes.keys() & set(tool.required)
    for name in list(wrong):
        changes[name] = await _example(tool, name, changes.get("resource", arguments.get("resource")), registry)
    detail = " ".join(list(mistakes.values())[:MAX_MISTAKES])
    raise Refusal("invalid", detail, "Send the arguments in `try`, with your own values.", changes)


def _is_plain(value: Any) -> bool:
    """Return whether texts can be stored and sent, and objects and lists have few levels."""
    level = [value]
    for _ in range(MAX_LEVELS):
        if any(isinstance(part, str) and UNSAFE.search(part) for part in level):
            return False
        objects = [part for part in level if isinstance(part, dict)]
        lists = [part for part in level if isinstance(part, list)]
        level = list(chain(*lists, *objects, *(part.values() for part in objects)))
        if not level:
            return True
    return False


def _mistakes(arguments: Arguments, schema: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with each argument. Values are not repeated, since they can be long."""
    names = list(schema["properties"])
    mistakes = {name: f"`{name}` is missing." for name in schema["required"] if name not in arguments}
    for name in arguments.keys() - set(names):
        is_stated = len(mistakes) < MAX_MISTAKES  # a body of the largest size has thousands of names
        mistakes[name] = _advice(name, names) if is_stated else ""
    for name in names:
        value = arguments.get(name)
        if name in arguments and not _is_plain(value):
            mistakes[name] = f"`{name}` contains a control character, an unpaired surrogate or too many levels."
        elif name in arguments:
            for error in Draft202012Validator(schema["properties"][name]).iter_errors(value):
                mistakes[name] = f"`{name}` {_rule(error)}."
    return mistakes


def _advice(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name[:MAX_NAMED], names, 1)
    advice = f"Did you mean {near[0]}?" if near else f"The arguments are {', '.join(names)}."
    return f"There is no such argument. {advice}"


def _rule(error: ValidationError) -> str:
    rules = {
        "type": f"must be of the type {error.validator_value}",
        "enum": f"must be one of {', '.join(map(str, error.validator_value))}" if error.validator == "enum" else "",
        "minLength": "must not be empty",
        "maxLength": f"must have at most {error.validator_value} characters",
    }
    return rules.get(str(error.validator), "has a wrong value")


async def _example(tool: Tool, name: str, resource: Any, registry: Registry) -> Any:
    """Return a value with which a call succeeds. An id is that of a record which is there."""
    value = tool.example[name]
    if name in ("project", "figure", "partner"):
        items = (await registry.get(f"/v1/{name}s", limit=1))["items"]
        return items[0]["id"] if items else value
    if name == "record" and tool.run is None:
        return await example_record(registry, resource or tool.example["resource"]) or {}
    if name == "record":
        items = (await registry.get("/v1/projects", limit=1))["items"]
        return f"projects/{items[0]['id']}" if items else value
    return value
