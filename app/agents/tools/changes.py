"""`what_changed`: the Changes since a moment or a number."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.agents.pages import Answer, Page
from app.agents.refusals import Refusal
from app.agents.registry import RESOURCES, Registry

CHANGES = 20  # of one read, and the last ones without `since`

Arguments = Mapping[str, Any]


async def what_changed(registry: Registry, arguments: Arguments) -> Answer:
    """Return Changes, the oldest first."""
    filters = _filters(arguments)
    last = (await registry.get("/v1/changes", limit=1, **filters))["last"]
    since = arguments.get("since")
    if since is None:
        after = max(0, last - CHANGES)
    elif since.isdecimal():
        after = int(since)
    else:
        after = await _number_before(registry, _moment(since), last)
    if after > last:
        detail = f"The last Change has the number {last}."
        raise Refusal("not_found", detail, "Send this number or a lower one.", {"since": str(last)})

    async def changes(cursor: str) -> Page:
        if cursor and not cursor.isdecimal():
            raise Refusal("bad_cursor", "`more` belongs to another call.", "Leave it out.", {"more": None})
        start = int(cursor or after)
        page = await registry.get("/v1/changes", after=start, limit=CHANGES, **filters)
        items = [_item(registry, change) for change in page["items"]]
        is_last = len(page["items"]) < CHANGES
        return Page(items, "" if is_last else str(page["items"][-1]["sequence"]))

    head: dict[str, Any] = {"since": after, "last": last}
    if not (await registry.get("/v1/changes", after=after, limit=1, **filters))["items"]:
        head["reason"] = "Nothing public has changed since then."
    return Answer(head, [changes])


def _filters(arguments: Arguments) -> dict[str, str]:
    """Return the filters of the feed. `record` is a record, or a partner and all records that name it."""
    record = arguments.get("record")
    if record is None:
        return {}
    resource, _, id_ = record.partition("/")
    if resource not in RESOURCES or not id_:
        raise Refusal("invalid", "`record` must be resource/id.", "Get one with the tool find.", {"record": None})
    return {"partner": id_} if resource == "partners" else {"record": record}


def _moment(text: str) -> str:
    """Return a date or time in UTC, as the log has it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        detail = "`since` must be the number of a Change, or a date such as 2026-11-01."
        raise Refusal("invalid", detail, "Send one of these, or leave it out.", {"since": None}) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (OverflowError, ValueError):
        raise Refusal("invalid", "`since` is out of range.", "Leave it out.", {"since": None}) from None


async def _number_before(registry: Registry, moment: str, last: int) -> int:
    """Return the number of the last Change before a moment: half of the rest is ruled out with each read."""
    low = 0
    high = last
    while low < high:
        middle = (low + high) // 2
        items = (await registry.get("/v1/changes", after=middle, limit=1))["items"]
        if items and items[0]["at"] < moment:
            low = items[0]["sequence"]
        else:
            high = middle
    return low


def _item(registry: Registry, change: Mapping[str, Any]) -> dict[str, Any]:
    record = change["record"]
    return {
        "sequence": change["sequence"],
        "at": f"{change['at'][:19]}Z",
        "action": change["action"],
        "record": f"{change['resource']}/{change['id']}",
        **({"label": registry.label_of(record)} if record else {}),
        "url": registry.url(change["resource"], change["id"]),
    }
