"""The read of the timeline: pages of entries, made from the records with their dates."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.analysis.timeline.models import EntryShown, Precision, TimelineQuery
from app.analysis.timeline.query import SUB_PROJECTS, TimelineShape, bound_values, statement
from app.analysis.timeline.sources import SOURCES, WHAT
from app.core.database.statements import MAX_PAGE_BYTES, Read, fitting
from app.core.errors import BadCursor
from app.core.model.labels import code_label, codes_of_field, in_one_language, labelled
from app.core.model.resource import RESOURCES
from app.core.reading.cursors import Cursors
from app.core.reading.results import ReadRequest, computed
from app.core.values.codelists import CodeList
from app.core.values.dates import OPEN_END, OPEN_START, Edtf, ends, parse_edtf
from app.core.values.json import from_json

PATH = "/v1/timeline"
SHAPING = ("labels", "lang")
FILTERS = ("partner", "project", "agreement", "place")

# A page is read again at most so many times, because entries outside the requested period are removed after the read.
MAX_ROUNDS = 10

DAYS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{4}-[0-9]{2}-[0-9]{2}")
PRECISION_BY_LENGTH: dict[int, Precision] = {len("2022"): "year", len("2022-02"): "month", len("2022-02-28"): "day"}


def read_entries(query: TimelineQuery, request: ReadRequest) -> Read:
    """Read a page of entries."""
    return (yield from computed(request, lambda: _page(query, request)))


def _page(query: TimelineQuery, request: ReadRequest) -> Read:
    cursors: Cursors = yield from request.cursors(list(_pairs(query)))
    after = _position(cursors, query.cursor) if query.cursor is not None else None
    items, position = yield from _entries(query, after)
    items = [_shaped_entry(entry, query) for entry in items]
    next_path = None
    if position:
        place = [position["at"], position["other"], position["rank"]]
        shaping = [("limit", query.limit), *((name, value) for name in SHAPING if (value := getattr(query, name)))]
        next_path = cursors.next(shaping, place, position["id"])
    return {"items": items, "next": next_path}, next_path


def _shaped_entry(entry: dict[str, Any], query: TimelineQuery) -> dict[str, Any]:
    """Return an entry with the labels and in the language that the request asks for."""
    if query.lang:
        entry = in_one_language(EntryShown, entry, query.lang)
    if query.labels:
        entry = labelled(EntryShown, entry, query.labels)
        for name in ("kind", "status"):
            if codes := _codes(entry["resource"], name):
                entry["labels"][f"/{name}"] = code_label(codes, entry[name], query.labels)
    return entry


def _codes(resource: str, name: str) -> CodeList | None:
    return codes_of_field(RESOURCES[resource].shown, name)


def _pairs(query: TimelineQuery) -> Iterator[tuple[str, str]]:
    """Yield the name and value of each query parameter of the request that decides its entries and their order."""
    parameters = query.model_dump(exclude_unset=True, exclude_none=True, exclude={"limit", "cursor", *SHAPING})
    for name, value in parameters.items():
        for item in value if isinstance(value, list) else [value]:
            yield name, str(item).lower() if isinstance(item, bool) else item


def _position(cursors: Cursors, cursor: str) -> dict[str, Any]:
    place, record_id = cursors.read(cursor)
    match place:
        case [str(at), str(other), int(rank)] if rank in range(len(SOURCES)) and DAYS.fullmatch(f"{at} {other}"):
            return {"at": at, "other": other, "rank": int(rank), "id": record_id}
    raise BadCursor


def _entries(query: TimelineQuery, after: dict[str, Any] | None) -> Read:
    """Read at most `limit` entries after a position. Return them and the position of the next page, or None."""
    values, shape = yield from _shape(query)
    entries: list[dict[str, Any]] = []
    for _ in range(MAX_ROUNDS):
        page = statement(replace(shape, after_position=after is not None))
        if page is None:
            return entries, None
        position = {f"after_{name}": value for name, value in (after or {}).items()}
        rows = yield page, {**values, **position, "most": query.limit + 1, "most_bytes": MAX_PAGE_BYTES}
        fitted = fitting(rows)
        for row in fitted:
            entry = _entry(row[2], row[0], row[4], from_json(row[5]))
            if _is_within(entry["date"], values):
                if len(entries) == query.limit:
                    return entries, after
                entries.append(entry)
            after = dict(zip(("at", "other", "rank", "id"), row, strict=False))
        if len(fitted) < len(rows):
            return entries, after
        if len(rows) <= query.limit:
            return entries, None
    return entries, after


def _shape(query: TimelineQuery) -> Read:
    """Return the bound values of the statement, and its shape."""
    filters = {name: ids for name in FILTERS if (ids := getattr(query, name))}
    if query.parts and query.project:
        parts = yield SUB_PROJECTS, {"tops": query.project}
        filters["project"] = sorted({*query.project, *(part for (part,) in parts)})
    values = bound_values(filters)
    if query.period:
        span = parse_edtf(query.period)
        first, last = span.days()
        values |= {"period_from": first, "period_to": last}
        values |= {"period_from_year": f"{first[:4]}-01-01", "period_to_year": f"{last[:4]}-12-31"}
    singles = tuple((name, len(ids) == 1) for name, ids in filters.items())
    whats = tuple(what for what in WHAT.codes if what in (query.what or WHAT.codes))
    return values, TimelineShape(singles, whats, bool(query.period), query.sort.startswith("-"), after_position=False)


def _is_within(when: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Return whether a date can be within the requested period, if there is one."""
    earliest = when["earliest"] or OPEN_START
    latest = when["latest"] or OPEN_END
    return bool(latest >= values.get("period_from", "") and earliest <= values.get("period_to", OPEN_END))


def _entry(rank: int, at: str, what: str, record: Mapping[str, Any]) -> dict[str, Any]:
    when = _date(SOURCES[rank].field, what, record)
    return {
        "what": what,
        "at": at,
        "date": when,
        "precision": _precision(when["edtf"]),
        "resource": record["resource"],
        "id": record["id"],
        "field": SOURCES[rank].field,
        "kind": record["kind"],
        "kind_list": _list_name(record, "kind"),
        "title": record.get("title") or record["summary"],
        "status": record.get("status"),
        "status_list": _list_name(record, "status"),
        **_links(record),
        "inferred": record["inferred"],
    }


def _list_name(record: Mapping[str, Any], name: str) -> str | None:
    codes = _codes(record["resource"], name)
    return None if codes is None else codes.name


def _date(field: str, what: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the date of an entry: the field's value, or the start or end of its period."""
    when: dict[str, Any] = record[field]
    if field != "period":
        return when
    end = ends(when["edtf"])[0 if what == "start" else 1]
    return Edtf.of(str(end)).model_dump(mode="json")


def _precision(edtf: str) -> Precision:
    if edtf.startswith("[") or "/" in edtf:
        return "interval"
    point = edtf.rstrip("?~%")
    if "T" in point:
        return "minute"
    return "quarter" if len(point) == 7 and point[5:] > "12" else PRECISION_BY_LENGTH[len(point)]


def _links(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the links of a record to projects, an agreement, places and partners, in one form for all resources."""
    own = record["id"] if record["resource"] == "agreements" else None
    projects = [record["id"]] if record["resource"] == "projects" else record.get("projects", [record.get("project")])
    places = record.get("places", [record.get("place"), record.get("signed_in")])
    return {
        "projects": _distinct(projects),
        "agreement": own or record.get("agreement"),
        "places": _distinct(places),
        "partners": _distinct(_partners(record)),
    }


def _partners(record: Mapping[str, Any]) -> Iterator[str | None]:
    """Yield the partners that take part, are parties, have a role, speak or are addressed; None for a missing one."""
    for name in ("participants", "parties", "roles"):
        yield from (item["partner"] for item in record.get(name, ()))
    yield from ((record[name] or {}).get("partner") for name in ("said_by", "relayed_for") if name in record)
    yield from record.get("to", ())


def _distinct(ids: Any) -> list[str]:
    return list(dict.fromkeys(record_id for record_id in ids if record_id))
