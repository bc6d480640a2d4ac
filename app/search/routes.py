"""`GET /v1/search`: one query over all resources, with a snippet for each hit."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from app.core.database.statements import Query, Read, cut, fitting
from app.core.http.operations import operation
from app.core.http.read_endpoints import OF_LISTS
from app.core.http.responses import read_request, write_response
from app.core.model.labels import Labels, in_one_language, labelled
from app.core.model.resource import RESOURCES
from app.core.public_paths import public
from app.core.reading.cursors import MAX_CURSOR, Cursors
from app.core.reading.parameters import LANGUAGES, MAX_ITEMS, Digits, SearchWords, query_model
from app.core.reading.reads import reading_of
from app.core.reading.results import ReadRequest, computed
from app.core.search.candidates import WINDOW, window_of_candidates
from app.core.search.query.interpretation import INTERPRETATION, TIER, Interpretation
from app.core.search.query.understanding import MAX_WORDS
from app.core.search.ranking import Hit, RankedPage, Ranking, SearchPosition
from app.core.values.json import from_json, to_json_without_floats
from app.core.values.text import LanguageMap
from app.search.snippets import Snippet, snippet, snippet_of_names, words_of

PATH = "/v1/search"
PROJECTS = "projects"
DEFAULT_LIMIT = 20
FEW = 20  # if fewer records contain all words, those with some of them follow; not in a search of some resources
MAX_READ_BYTES = 1_000_000  # of the records of a page, each of which is searched for its snippet

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
    caller = read_request(request)
    return await write_response(request, lambda: computed(caller, lambda: _search(query, caller), searches=True))


@cache
def _window(walked: int) -> Query:
    return window_of_candidates(walked=walked)


def _search(query: Any, request: ReadRequest) -> Read:
    """Read the page as JSON, and its path of the next page by itself for the Link header."""
    pairs = [("q", query.q), *(("resource", name) for name in sorted(set(query.resource or ())))]
    cursors: Cursors = yield from request.cursors(pairs)
    position = SearchPosition.from_cursor(cursors.read(query.cursor)[0]) if query.cursor is not None else None
    resources = [RESOURCES[name] for _, name in pairs[1:]]
    ranking = Ranking(query.q, _window, resources, few=1 if resources else FEW)
    ranked: RankedPage = yield from ranking.read_page(position, query.limit)
    items = yield from _items(ranked)
    if len(items) < len(ranked.hits):
        ranked = yield from ranking.read_page(position, len(items))
    following = None
    if ranked.next:
        shaping = [(name, value) for name in LANGUAGES if (value := getattr(query, name))]
        following = cursors.next([("limit", query.limit), *shaping], str(ranked.next), "")
    page = {
        "items": [_shaped_hit(item, query) for item in items],
        "next": following,
        "reading": ranked.reading,
        "corrected": ranked.corrected,
        "found": ranked.interpretation.words_in_records if ranked.interpretation else [],
        "not_found": ranked.interpretation.words_in_none if ranked.interpretation else [],
    }
    return to_json_without_floats(page), following


def _shaped_hit(item: dict[str, Any], query: Any) -> dict[str, Any]:
    """Return a hit with the labels and in the language that the request asks for."""
    if query.lang:
        item = in_one_language(SearchHit, item, query.lang)
    return labelled(SearchHit, item, query.labels) if query.labels else item


def _items(page: RankedPage) -> Read:
    """Read the records of the hits, one statement for each resource, and return the items of the response.

    If the records have too many bytes, there are items for the first of them.
    """
    if page.interpretation is None:
        return []
    ready = {hit: _item_by_names(hit, page.interpretation) for hit in page.hits}
    bodies: dict[tuple[str, str], bytes] = {}
    without = [hit for hit in page.hits if ready[hit] is None]
    for name in dict.fromkeys(hit.resource for hit in without):
        reads = reading_of(RESOURCES[name])
        ids = [hit.record_id for hit in without if hit.resource == name]
        bodies |= {(name, key): body for key, body in (yield from reads.bodies(ids, MAX_READ_BYTES)).items()}
    candidates = [
        (hit, hit.own_names.encode() if ready[hit] else bodies.get((hit.resource, hit.record_id), b""))
        for hit in page.hits
    ]
    rows = fitting(cut(candidates, MAX_READ_BYTES))
    records = {hit: from_json(body) for hit, body in rows if ready[hit] is None}
    project_ids = list(dict.fromkeys(filter(None, map(_project_of, records.values()))))
    projects = (yield from reading_of(RESOURCES[PROJECTS]).bodies(project_ids, MAX_READ_BYTES)) if project_ids else {}
    titles = {project_id: from_json(body)["title"] for project_id, body in projects.items()}
    return [ready[hit] or _item_by_record(hit, records[hit], page.interpretation, titles) for hit, _ in rows]


def _project_of(record: Mapping[str, Any]) -> str | None:
    """Return the id of the project to which a record belongs: the first one, if there are several."""
    project: str | None = record.get("project") or next(iter(record.get(PROJECTS) or ()), None)
    return project


def _item_by_names(hit: Hit, interpretation: Interpretation) -> dict[str, Any] | None:
    """Return the item of a hit whose names are enough to show it, without its record; None for any other hit."""
    resource = RESOURCES[hit.resource]
    needs_record = resource.heading or not resource.fields.model_fields.keys().isdisjoint(("project", PROJECTS))
    if needs_record or hit.tier not in ("in_names", "whole_name"):
        return None
    names = [tuple(item) for item in from_json(hit.own_names) if item]
    best = snippet_of_names(names, words_of(interpretation, hit.tier), hit) if names else None
    if best is None or hit.own_names.endswith(",null]"):
        return None
    field = names[0][0].partition(".")[0]
    heading = {path.partition(".")[2]: name for path, name in names if path.startswith(f"{field}.")}
    return _item(hit, best, heading or names[0][1], None)


def _item_by_record(
    hit: Hit, record: dict[str, Any], interpretation: Interpretation, titles: Mapping[str, Any]
) -> dict[str, Any]:
    resource = RESOURCES[hit.resource]
    project = _project_of(record)
    best = snippet(resource, record, words_of(interpretation, hit.tier), hit)
    heading: Any = next((record[name] for name in resource.heading or resource.names if record[name]), None)
    named = {"id": project, "title": titles[project]} if project and project in titles else None
    return _item(hit, best, heading, named)


def _item(hit: Hit, best: Snippet, heading: Any, project: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "resource": hit.resource,
        "id": hit.record_id,
        "path": public(f"/v1/{hit.resource}/{hit.record_id}"),
        "name": {"und": heading} if isinstance(heading, str) else heading,
        "project": project,
        "tier": hit.tier,
        "field": best.field,
        "snippet": best.text,
        "highlights": best.highlights,
    }
