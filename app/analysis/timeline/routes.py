"""`GET /v1/timeline`: what happened, starts, ends and is due, in order, for a front end to draw."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.analysis.timeline.entries import ALL_PARTS, SOURCES, WHAT, TimelineShape, bound_values, statement
from app.core.database.statements import Read
from app.core.errors import BadCursor
from app.core.http.operations import operation
from app.core.http.resource_reads import OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.model.filters import EdtfText
from app.core.model.resource import Id
from app.core.reading.cursors import Cursors
from app.core.reading.parameters import DEFAULT_LIMIT, MAX_ITEMS, Digits
from app.core.reading.results import ReadRequest, computed
from app.core.values.dates import OPEN_END, OPEN_START, Edtf, ends, parse_edtf
from app.core.values.json import from_json
from app.core.values.text import LanguageMap

PATH = "/v1/timeline"

FILTERS = ("partner", "project", "agreement", "place")

MAX_ROUNDS = 10  # looks that a page takes at most to find entries whose own precision lets them fall into the period

DAYS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{4}-[0-9]{2}-[0-9]{2}")

Precision = Literal["year", "quarter", "month", "day", "minute", "interval"]

BY_LENGTH: dict[int, Precision] = {len("2022"): "year", len("2022-02"): "month", len("2022-02-28"): "day"}

Sort = Annotated[str, StringConstraints(pattern="^-?date$")]


def _many(about: str) -> Any:
    return Field(default=None, max_length=MAX_ITEMS, description=about)


class TimelineQuery(BaseModel, defer_build=True):
    """Which entries, in which direction."""

    model_config = ConfigDict(extra="forbid")

    partner: list[Id] | None = _many("With one of these partners taking part, agreeing, speaking or addressed.")
    project: list[Id] | None = _many("Of one of these projects.")
    parts: bool = Field(default=False, description="Of the projects' parts too, however deep.")
    agreement: list[Id] | None = _many("Of one of these agreements, or of the projects they are about.")
    place: list[Id] | None = _many("In one of these places or their parts; what is due has no place.")
    what: list[Annotated[str, WHAT]] | None = _many("Only entries that are one of these.")
    period: EdtfText | None = Field(default=None, description="Entries that can fall in this EDTF date or interval.")
    sort: Sort = Field(default="date", description="`-` for descending.")
    limit: Digits = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Entries a page at most.")
    cursor: str | None = Field(default=None, max_length=1000, description="Where to go on: taken from `next`.")


class EntryShown(BaseModel, defer_build=True):
    """Something on a timeline."""

    what: Annotated[str, WHAT]
    at: date = Field(description="The day it stands at: the first it can mean; the last for an end and what is due.")
    date: Edtf = Field(description="When, as precisely as it is stated.")
    precision: Precision = Field(description="How precise the date is; interval: between two days, or open.")
    resource: Literal["milestones", "agreements", "projects", "statements"]
    id: str = Field(description="The record that says so.")
    kind: str = Field(description="The record's kind.")
    title: LanguageMap = Field(description="The record's title, or the summary of a statement.")
    status: str | None = Field(description="The record's status; null for statements.")
    projects: list[str]
    agreement: str | None
    places: list[str]
    partners: list[str]


class TimelinePage(BaseModel, defer_build=True):
    """Entries, in order."""

    items: list[EntryShown]
    next: str | None = Field(description="Path of the next page; null at the end. A page may be short.")


router = APIRouter(tags=["registry"])


@operation(
    router,
    "GET",
    PATH,
    "What happened, starts, ends and is due, in order",
    returns=TimelinePage,
    problems=OF_LISTS,
)
async def read_timeline(request: Request, query: TimelineQuery) -> Response:
    """Milestones, signings of agreements, starts and ends of projects and agreements, and what is due.

    What has no date, and an open end, is not in it. A signing, start or end that has a milestone is that milestone.
    Entries of one day are ordered by the other end of their date or period.
    """
    caller = read_request(request)
    return await write_response(request, lambda: read_entries(query, caller))


def read_entries(query: TimelineQuery, request: ReadRequest) -> Read:
    """A page of entries and the path of the next."""
    return (yield from computed(request, lambda: _page(query)))


def _page(query: TimelineQuery) -> Read:
    given = query.model_dump(exclude_unset=True, exclude_none=True, exclude={"limit", "cursor"})
    pairs = [(name, one) for name, value in given.items() for one in (value if isinstance(value, list) else [value])]
    pairs = [(name, str(one).lower() if isinstance(one, bool) else one) for name, one in pairs]
    cursors = Cursors(PATH, pairs)
    after = _position(cursors, query.cursor) if query.cursor is not None else None
    found, further = yield from _entries(query, after)
    following = None
    if further:
        place = [further["at"], further["other"], further["rank"]]
        following = cursors.next([("limit", query.limit)], place, further["id"])
    return {"items": found, "next": following}, following


def _position(cursors: Cursors, cursor: str) -> dict[str, Any]:
    place, record_id = cursors.read(cursor)
    match place:
        case [str(at), str(other), int(rank)] if rank in range(len(SOURCES)) and DAYS.fullmatch(f"{at} {other}"):
            return {"at": at, "other": other, "rank": int(rank), "id": record_id}
    raise BadCursor


def _entries(query: TimelineQuery, after: dict[str, Any] | None) -> Read:
    """At most as many entries as asked behind a place, and the place to go on from, if there are more."""
    values, shape = yield from _shape(query)
    found: list[dict[str, Any]] = []
    for _ in range(MAX_ROUNDS):
        wanted = statement(replace(shape, onwards=after is not None))
        if wanted is None:
            return found, None
        behind = {f"after_{name}": value for name, value in (after or {}).items()}
        rows = yield wanted, {**values, **behind, "most": query.limit + 1}
        for row in rows:
            entry = _entry(row[2], row[0], row[4], from_json(row[5]))
            if _falls_in(entry["date"], values):
                if len(found) == query.limit:
                    return found, after
                found.append(entry)
            after = dict(zip(("at", "other", "rank", "id"), row, strict=False))
        if len(rows) <= query.limit:
            return found, None
    return found, after


def _shape(query: TimelineQuery) -> Read:
    """What the statement binds, and what decides it."""
    filters = {name: ids for name in FILTERS if (ids := getattr(query, name))}
    if query.parts and query.project:
        parts = yield ALL_PARTS, {"tops": query.project}
        filters["project"] = sorted({*query.project, *(part for (part,) in parts)})
    values = bound_values(filters)
    if query.period:
        span = parse_edtf(query.period)
        first, last = span.days()
        years = {"period_from_year": f"{first[:4]}-01-01", "period_to_year": f"{last[:4]}-12-31"}
        values |= {"period_from": first, "period_to": last, **years}
    singles = tuple((name, len(ids) == 1) for name, ids in filters.items())
    whats = tuple(what for what in WHAT.codes if what in (query.what or WHAT.codes))
    return values, TimelineShape(singles, whats, bool(query.period), query.sort.startswith("-"), onwards=False)


def _falls_in(when: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether a date can fall in the period asked, if one is."""
    earliest, latest = when["earliest"] or OPEN_START, when["latest"] or OPEN_END
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
        "kind": record["kind"],
        "title": record.get("title") or record["summary"],
        "status": record.get("status"),
        **_links(record),
    }


def _date(field: str, what: str, record: Mapping[str, Any]) -> dict[str, Any]:
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
    return "quarter" if len(point) == 7 and point[5:] > "12" else BY_LENGTH[len(point)]


def _links(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the record is about, in one form for all resources."""
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
    """Who takes part, agrees, has a role, speaks, or is addressed."""
    for name in ("participants", "parties", "roles"):
        yield from (each["partner"] for each in record.get(name, ()))
    yield from ((record[name] or {}).get("partner") for name in ("said_by", "relayed_for") if name in record)
    yield from record.get("to", ())


def _distinct(ids: Any) -> list[str]:
    return list(dict.fromkeys(each for each in ids if each))
