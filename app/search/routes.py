"""`GET /v1/search`: every resource at once, best hits first, each with the words that were found."""

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from app.core.database.statements import Read
from app.core.http.operations import operation
from app.core.http.resource_reads import OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.model.resource import RESOURCES
from app.core.reading.cursors import Cursors
from app.core.reading.parameters import MAX_ITEMS, Digits, SearchWords, query_model
from app.core.reading.reads import reading_of
from app.core.reading.results import computed
from app.core.search.interpretation import INTERPRETATION, MAX_WORDS, TIER, Interpretation
from app.core.search.ranking import WINDOW, Candidates, Hit, RankedPage, Ranking, SearchPosition
from app.core.values.json import from_json
from app.core.values.text import LanguageMap
from app.search.snippets import snippet

PATH = "/v1/search"
DEFAULT_LIMIT = 20
CANDIDATES = Candidates()

ABOUT = f"""Finds records by the words of their names and texts, in all resources or in those named by `resource`.

Words may be typed with or without Vietnamese diacritics, in either case, NFC or NFD, with the old or the new placement
of tones (hòa, hoà) and with i or y (Thụy Sĩ, Thụy Sỹ); the last one need not be finished. A query that has diacritics
finds exactly these first. All words must be there (the first {MAX_WORDS} count); quotes, operators and other signs
only separate them, and a query without a word finds nothing. Where nothing holds all of them, slips are corrected, and
then some of the words are enough: `reading` says so, and `corrected` what was searched for instead.

Hits come in tiers (`/v1/codelists/search_tier`), within a tier those whose names come nearest to the query first; where
very many are alike, nearness is compared among {WINDOW} at a time. Follow `next`: every hit comes exactly once."""


class SearchHit(BaseModel, defer_build=True):
    """A record that was found, and what of it to show."""

    resource: str = Field(description="The resource's plural name, as in the URL.", examples=["partners"])
    id: str = Field(examples=["moit"])
    path: str = Field(description="Where the record is.", examples=["/v1/partners/moit"])
    name: LanguageMap | None = Field(
        description="Its name or title; of a statement the summary, of a figure the words of the source (as `und`)."
    )
    tier: Annotated[str, TIER] = Field(description="Where and how it holds the words.")
    field: str = Field(description="The field that shows it best.", examples=["title.vi", "aliases[0]"])
    snippet: str = Field(description="That field, or a piece of it, as it is written (in NFC).")
    highlights: list[tuple[int, int]] = Field(
        description="The words found: start and end in the snippet, in code points.", examples=[[[0, 2], [3, 7]]]
    )


class SearchPage(BaseModel, defer_build=True):
    """A page of hits."""

    items: list[SearchHit] = Field(description="The hits, the best first.")
    next: str | None = Field(description="Path of the next page; null at the end.")
    reading: Annotated[str, INTERPRETATION] = Field(description="How the query was understood.")
    corrected: str | None = Field(description="What was searched for instead, where slips were corrected.")


@cache
def _query() -> type[BaseModel]:
    known = Annotated[str, StringConstraints(pattern="^(" + "|".join(RESOURCES) + ")$")]
    about = {
        "q": "Words to find.",
        "resource": "Only in any of these resources.",
        "cursor": "Where to go on: taken from `next`, for the same query.",
    }
    fields: dict[str, Any] = {
        "q": (SearchWords, Field(description=about["q"], examples=["khu cong nghiep sinh thai"])),
        "resource": (
            list[known] | None,
            Field(default=None, description=about["resource"], max_length=MAX_ITEMS),
        ),
        "limit": (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Hits a page.")),
        "cursor": (str | None, Field(default=None, description=about["cursor"], max_length=1000)),
    }
    return query_model("SearchQuery", fields)


TAG = {"name": "search", "description": "Full-text search in all resources."}
router = APIRouter(tags=["search"])


@operation(
    router,
    "GET",
    PATH,
    "Search everything",
    about=ABOUT,
    returns=SearchPage,
    query=_query,
    problems=OF_LISTS,
)
async def search(request: Request, query: BaseModel) -> Response:
    """The hits of a query."""
    caller = read_request(request)
    return await write_response(request, lambda: computed(caller, lambda: _search(query)))


def _search(query: Any) -> Read:
    pairs = [("q", query.q), *(("resource", name) for name in sorted(set(query.resource or ())))]
    cursors = Cursors(PATH, pairs)
    place = SearchPosition.from_cursor(cursors.read(query.cursor)[0]) if query.cursor is not None else None
    chosen = [RESOURCES[name] for _, name in pairs[1:]]
    found: RankedPage = yield from Ranking(query.q, CANDIDATES, chosen).read_page(place, query.limit)
    following = None
    if found.next:
        following = cursors.next([("limit", query.limit)], str(found.next), "")
    page = {
        "items": (yield from _items(found)),
        "next": following,
        "reading": found.reading,
        "corrected": found.corrected,
    }
    return page, following


def _items(found: RankedPage) -> Read:
    """The hits as they are shown; their records are read one resource after the other."""
    if found.interpretation is None:
        return []
    bodies: dict[tuple[str, str], bytes] = {}
    for name in dict.fromkeys(hit.resource for hit in found.hits):
        ids = [hit.record_id for hit in found.hits if hit.resource == name]
        bodies |= {(name, key): body for key, body in (yield from reading_of(RESOURCES[name]).bodies(ids)).items()}
    return [_item(hit, bodies[hit.resource, hit.record_id], found.interpretation) for hit in found.hits]


def _item(hit: Hit, body: bytes, sense: Interpretation) -> dict[str, Any]:
    resource, record = RESOURCES[hit.resource], from_json(body)
    shown = snippet(resource, record, sense, hit.tier)
    heading: Any = next((record[name] for name in resource.heading or resource.names if record[name]), None)
    return {
        "resource": hit.resource,
        "id": hit.record_id,
        "path": f"/v1/{hit.resource}/{hit.record_id}",
        "name": {"und": heading} if isinstance(heading, str) else heading,
        "tier": hit.tier,
        "field": shown.field,
        "snippet": shown.text,
        "highlights": shown.highlights,
    }
