"""`GET /v1/search`: one query over all resources, with a snippet for each hit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import literal_column, select

from app.core.database.sql import one_of
from app.core.database.statements import Query, Read, cut, fitting
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.model.labels import Labels, in_one_language, labelled
from app.core.model.resource import RESOURCES, Resource
from app.core.public_paths import public
from app.core.reading.cursors import MAX_CURSOR, Cursors
from app.core.reading.parameters import LANGUAGES, MAX_ITEMS, Digits, SearchWords, query_model
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest, ReadResult, computed
from app.core.search.about import Preview, project_of
from app.core.search.candidates import WINDOW, window_of_candidates
from app.core.search.query.interpretation import INTERPRETATION, TIER, Interpretation
from app.core.search.query.understanding import MAX_WORDS
from app.core.search.ranking import Hit, RankedPage, Ranking, SearchPosition
from app.core.search.tables import RECORDS
from app.core.values.json import from_json, to_json_quickly
from app.core.values.text import LanguageMap
from app.search.snippets import QueryWords, Snippet, snippet, snippet_of_names

PATH = "/v1/search"
PROJECTS = "projects"
DEFAULT_LIMIT = 20
FEW = 20  # if fewer records contain all words, those with some of them follow; not in a search of some resources
MAX_READ_BYTES = 1_000_000  # of the records of a page, each of which is searched for its snippet

_of_projects = RECORDS.c.resource == literal_column(f"'{PROJECTS}'"), one_of(RECORDS.c.record_id, "ids")
_PREVIEWS = Query(select(RECORDS.c.record_id, RECORDS.c.preview).where(*_of_projects))

DESCRIPTION = f"""Find records by words in all resources or in those given by `resource`: words in their names and
texts, in the labels of their codes, and in the names of the records that they link to.

Words may be written in upper or lower case, in NFC or NFD, with the old or the new placement of tones (hòa, hoà),
with i or y (Thụy Sĩ, Thụy Sỹ), and without Vietnamese diacritics. A word with diacritics finds only words with the
same diacritics. Short forms, translations and English plurals are known from a table of synonyms. Articles,
prepositions and words of questions are left out. The last word may be unfinished. Only the first {MAX_WORDS} words
are used. Quotes, operators and other signs only separate words. A query without a word has no hits.

A record must contain all words of the query. If only few records do, records with most of the words follow. If no
record does, the server first corrects typing errors, then accepts other diacritics, and then accepts records with
most of the words. `reading` states which of these was used, and `corrected` is the corrected query. `found` lists the
words that are in some record, and `not_found` those that are in none.

Hits are ordered by how many of the words they contain, where, and how closely together: words in names count most,
then other texts, then labels and links. Long results are compared in groups of {WINDOW}. Follow `next` to get every
hit once. Countries and provinces to which no record refers are hits only with `resource=places`."""


class HitProject(BaseModel, defer_build=True):
    """The project of a hit."""

    id: str = Field(description="Id of the project.", examples=["smart-factory-cooperation"])
    title: LanguageMap = Field(description="Title of the project, by language.")


class SearchHit(BaseModel, defer_build=True):
    """A record that matches the query, with the text to show for it."""

    resource: str = Field(description="The resource's plural name, as in the URL.", examples=["partners"])
    id: str = Field(description="Id of the record.", examples=["moit"])
    path: str = Field(description="Path of the record.", examples=["/v1/partners/moit"])
    name: LanguageMap | None = Field(
        description="Its name or title. For a statement, its summary; for a figure, the words of the source (as `und`)."
    )
    project: HitProject | None = Field(
        description="The project to which the record belongs, or the first of several. Null for a project itself, and"
        " for a record that belongs to none."
    )
    tier: Annotated[str, TIER] = Field(description="Where and how the record contains the words of the query.")
    field: str = Field(description="The field that the snippet is from.", examples=["title.vi", "aliases[0]"])
    snippet: str = Field(description="The text of that field, or a part of it, in NFC.")
    highlights: list[tuple[int, int]] = Field(
        description="Start and end of each matched word in the snippet, in code points. The end is exclusive.",
        examples=[[[0, 2], [3, 7]]],
    )
    labels: Labels = Field(default={})


class SearchPage(BaseModel, defer_build=True):
    """A page of hits."""

    items: list[SearchHit] = Field(description="The hits, the best first.")
    next: str | None = Field(description="Path of the next page; null on the last page.")
    reading: Annotated[str, INTERPRETATION] = Field(description="How the query was understood.")
    corrected: str | None = Field(description="The corrected query; null if nothing was corrected.")
    found: list[str] = Field(description="The words of the query that some record contains, without stop words.")
    not_found: list[str] = Field(description="The words of the query that no record contains.")


@cache
def _query() -> type[BaseModel]:
    resource_name = Annotated[str, StringConstraints(pattern="^(" + "|".join(RESOURCES) + ")$")]
    fields: dict[str, Any] = {
        "q": (SearchWords, Field(description="Words to search for.", examples=["khu cong nghiep sinh thai"])),
        "resource": (
            list[resource_name] | None,
            Field(default=None, description="Search only in these resources.", max_length=MAX_ITEMS),
        ),
        "limit": (Digits, Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Hits per page.")),
        "cursor": (
            str | None,
            Field(
                default=None,
                description="The cursor in `next` of the previous page, for the same query.",
                max_length=MAX_CURSOR,
            ),
        ),
        **LANGUAGES,
    }
    return query_model("SearchQuery", fields)


TAG = {"name": "search", "description": "Full-text search in all resources."}
router = APIRouter(tags=["search"])


@operation(
    router,
    "GET",
    PATH,
    "Search everything",
    about=DESCRIPTION,
    returns=SearchPage,
    query=_query,
    problems=OF_LISTS,
)
async def search(request: Request, query: BaseModel) -> Response:
    """Return a page of hits."""
    return await write_response(request, lambda: _result(query, read_request(request)))


@cache
def _window(in_blocks: bool) -> Query:
    return window_of_candidates(in_blocks=in_blocks)


def _result(query: Any, request: ReadRequest) -> Read:
    """Read the page. The statement that counts the words reads the last Change too, unless it is needed before."""
    ranking = _ranking(query)
    if not request.tags:
        body, following = yield from _search(query, request, ranking)
        if ranking.last:
            return ReadResult(body, request.tag(ranking.last), following)
    return (yield from computed(request, lambda: _search(query, request, ranking), searches=True))


def _ranking(query: Any) -> Ranking:
    resources = [RESOURCES[name] for name in sorted(set(query.resource or ()))]
    return Ranking(query.q, _window, resources, few=1 if resources else FEW)


def _search(query: Any, request: ReadRequest, ranking: Ranking) -> Read:
    """Read the page as JSON, and its path of the next page by itself for the Link header."""
    pairs = [("q", query.q), *(("resource", resource.name) for resource in ranking.resources)]
    cursors: Cursors = yield from request.cursors(pairs)
    position = SearchPosition.from_cursor(cursors.read(query.cursor)[0]) if query.cursor is not None else None
    ranked: RankedPage = yield from ranking.read_page(position, query.limit)
    items = yield from _items(ranked)
    if len(items) < len(ranked.hits):
        ranked = yield from replace(ranking).read_page(position, len(items))
    following = None
    if ranked.next:
        shaping = [(name, value) for name in LANGUAGES if (value := getattr(query, name))]
        following = cursors.next([("limit", query.limit), *shaping], str(ranked.next), "")
    page = {
        "items": [_shaped_hit(item, query) for item in items],
        "next": following,
        "reading": ranked.reading,
        "corrected": ranked.corrected,
        "found": ranked.words_in_records,
        "not_found": ranked.words_in_none,
    }
    return to_json_quickly(page), following


def _shaped_hit(item: dict[str, Any], query: Any) -> dict[str, Any]:
    """Return a hit with the labels and in the language that the request asks for."""
    if query.lang:
        item = in_one_language(SearchHit, item, query.lang)
    return labelled(SearchHit, item, query.labels) if query.labels else item


def _items(page: RankedPage) -> Read:
    """Read the records of some hits, one statement for each resource, and return the items of the response.

    If the records have too many bytes, there are items for the first of them.
    """
    if page.interpretation is None:
        return []
    items = _Items(page.interpretation)
    parts = [items.part_by_names(hit) for hit in page.hits]
    bodies: dict[tuple[str, str], bytes] = {}
    without = [hit for hit, part in zip(page.hits, parts, strict=True) if part is None]
    for name in dict.fromkeys(hit.resource for hit in without):
        reads = reading_of(RESOURCES[name])
        ids = [hit.record_id for hit in without if hit.resource == name]
        bodies |= {(name, key): body for key, body in (yield from reads.bodies(ids, MAX_READ_BYTES)).items()}
    sizes = [
        (hit, part, hit.preview if part else bodies.get((hit.resource, hit.record_id), b""))
        for hit, part in zip(page.hits, parts, strict=True)
    ]
    rows = fitting(cut(sizes, MAX_READ_BYTES))
    complete = [(hit, part or items.part_by_record(hit, from_json(body))) for hit, part, body in rows]
    titles = yield from _titles(page.hits, [part.project for _, part in complete])
    return [_item(hit, part, titles) for hit, part in complete]


def _titles(hits: Sequence[Hit], project_ids: Iterable[str | None]) -> Read:
    """Read the titles of projects by id. They are in the index; projects that are hits need no statement."""
    of_hits = {hit.record_id: hit.preview for hit in hits if hit.resource == PROJECTS}
    projects = RESOURCES[PROJECTS]
    ids = set(filter(None, project_ids))
    rows = (yield _PREVIEWS, {"ids": sorted(unread)}) if (unread := ids - of_hits.keys()) else ()
    previews = {key: Preview.of(stored) for key, stored in (*rows, *of_hits.items()) if key in ids}
    titles = {key: _heading(projects, item.names) for key, item in previews.items() if not item.is_cut}
    if left := sorted(ids - titles.keys()):
        bodies = yield from reading_of(projects).bodies(left, MAX_READ_BYTES)
        titles |= {key: from_json(body)["title"] for key, body in bodies.items()}
    return titles


def _heading(resource: Resource, names: Sequence[tuple[str, str]]) -> Any:
    """Return the heading of a record, given all its names; by language if it is a language map."""
    for field in resource.heading or resource.names:
        prefix = f"{field}."
        by_language = {path.removeprefix(prefix): name for path, name in names if path.startswith(prefix)}
        if by_language:
            return by_language
        if text := dict(names).get(field):
            return text
    return None


class _Part(NamedTuple):
    """What of an item is from the record of the hit."""

    snippet: Snippet
    heading: Any
    project: str | None


class _Items:
    """Makes the items of a page, with the words of the query for each tier."""

    def __init__(self, interpretation: Interpretation) -> None:
        self._interpretation = interpretation
        self._words: dict[str, QueryWords] = {}

    def _words_of(self, tier: str) -> QueryWords:
        if tier not in self._words:
            self._words[tier] = QueryWords.of(self._interpretation, tier)
        return self._words[tier]

    def part_by_names(self, hit: Hit) -> _Part | None:
        """Return what is shown of a hit if its index entry is enough; None if its record is needed."""
        preview = Preview.of(hit.preview)
        if preview.is_cut:
            return None
        resource = RESOURCES[hit.resource]
        best = snippet_of_names(resource, preview.names, self._words_of(hit.tier), hit)
        return _Part(best, _heading(resource, preview.names), preview.project) if best else None

    def part_by_record(self, hit: Hit, record: dict[str, Any]) -> _Part:
        """Return what is shown of a hit, given its record."""
        resource = RESOURCES[hit.resource]
        best = snippet(resource, record, self._words_of(hit.tier), hit)
        heading: Any = next((record[name] for name in resource.heading or resource.names if record[name]), None)
        return _Part(best, heading, project_of(record))


def _item(hit: Hit, part: _Part, titles: Mapping[str, Any]) -> dict[str, Any]:
    project = part.project
    return {
        "resource": hit.resource,
        "id": hit.record_id,
        "path": public(f"/v1/{hit.resource}/{hit.record_id}"),
        "name": {"und": part.heading} if isinstance(part.heading, str) else part.heading,
        "project": {"id": project, "title": titles[project]} if project and project in titles else None,
        "tier": hit.tier,
        "field": part.snippet.field,
        "snippet": part.snippet.text,
        "highlights": part.snippet.highlights,
    }
