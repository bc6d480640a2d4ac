"""`draft_record`: a new draft, written with the key of the caller. People publish it."""

import hashlib
import json
from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from app.agents.pages import Answer
from app.agents.refusals import UNAVAILABLE, Refusal
from app.agents.registry import Registry
from app.core.values.json import to_json

MAX_ERRORS = 8  # in a refusal
MAX_REPEATED = 3_000  # bytes of a record that a refusal repeats
PLACES = ("title", "name", "summary")

Arguments = Mapping[str, Any]


class Writer:
    """Sends drafts to the API in the process, with the header `Authorization` of the caller."""

    def __init__(self, api: ASGIApp, scope: Scope, authorization: str) -> None:
        self._api = api
        self._scope = scope
        self._authorization = authorization

    async def create(self, resource: str, record: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and body of the response. An equal draft is created once, also if the call is repeated."""
        body = to_json(record)
        headers = {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}
        digest = hashlib.blake2b(resource.encode() + body, digest_size=16).hexdigest()
        headers[b"idempotency-key"] = f"mcp-{digest}".encode()
        if self._authorization:
            headers[b"authorization"] = self._authorization.encode()
        path = f"/v1/{resource}"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": self._scope["scheme"],
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": list(headers.items()),
            "header_values": headers,
            "client": self._scope.get("client"),
            "server": self._scope.get("server"),
        }
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        response: dict[str, Any] = {"status": 500, "body": b""}

        async def receive() -> Message:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            response["status"] = message.get("status", response["status"])
            response["body"] += message.get("body", b"")

        await self._api(scope, receive, send)
        return response["status"], json.loads(response["body"] or b"{}")


async def draft_record(registry: Registry, writer: Writer, arguments: Arguments) -> Answer:
    """Create a draft. Only keys that may write the record see it, until somebody publishes it."""
    resource = arguments["resource"]
    record = arguments["record"]
    if record.get("state", "draft") != "draft":
        changes = {"record": {**record, "state": "draft"}}
        raise Refusal("invalid", "This tool writes drafts only.", "Leave `state` out.", changes)
    status, body = await writer.create(resource, {**record, "state": "draft"})
    if status == 201:
        head = {
            "record": f"{resource}/{body['id']}",
            "label": registry.label_of(body),
            "state": body["state"],
            "version": body["version"],
            "path": f"/v1/{resource}/{body['id']}",
            "publish": 'A person reads it and sends PATCH {"state": "published"} to `path`, with If-Match.',
        }
        return Answer(head)
    raise await _refused(registry, status, body, arguments)


async def _refused(registry: Registry, status: int, problem: Mapping[str, Any], arguments: Arguments) -> Refusal:
    """Return the refusal for a problem of the API, with the arguments of a call that succeeds."""
    code = str(problem.get("code", "invalid"))
    detail = str(problem.get("detail", ""))
    if status in (401, 403):
        do = "Send the call with the header `Authorization: Bearer hoptac_…` and a key with the scope records:write."
        return Refusal(code, detail, do)
    if status == 429 or status >= 500:
        return Refusal(UNAVAILABLE, detail, "Repeat the same call in a few seconds.")
    errors = [
        {"pointer": error["pointer"], "code": error["code"], "detail": error["detail"]}
        for error in problem.get("errors", [])[:MAX_ERRORS]
        if error.get("pointer") is not None
    ]
    do = "Mend each of `errors`. A call with the record in `try` succeeds: start from it."
    example = await example_record(registry, arguments["resource"])
    return Refusal(code, detail, do, {"record": example} if example else {}, errors)


async def example_record(registry: Registry, resource: str) -> dict[str, Any] | None:
    """Return a small valid draft: the required members of a public record of this resource, with one citation."""
    items = (await registry.get(f"/v1/{resource}", limit=1))["items"]
    if not items:
        return None
    model = items[0]
    record = {name: model[name] for name in (*PLACES, "kind", "level", "status", "unit", "direction") if name in model}
    if resource == "figures":
        names = ("indicator", "value", "value_high", "text", "unit", "unit_text", "qualifier", "measured", "period")
        record = {name: model[name] for name in (*names, "kind", "as_written")}
    citation = next(iter(model["citations"]), None)
    if citation:
        record["citations"] = [{**citation, "supports": []}]
    return {name: value for name, value in record.items() if value is not None}
