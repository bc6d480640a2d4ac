"""The candidates of queries: the records that the search finds, with their scores, and suggestions while typing."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, Field, RootModel

from app.core.change_log import now
from app.core.database.statements import Query, Read
from app.core.model.resource import RESOURCES, Resource
from app.core.reading.reads import reading_of
from app.core.search.candidates import window_of_candidates
from app.core.search.ranking import Ranking
from app.core.values.dates import OPEN_END
from app.exchange.imports.planning.names import NamedRecord, folded_name
from app.exchange.reconciliation.countries import Country
from app.exchange.reconciliation.matching import Question, Score, score
from app.exchange.reconciliation.queries import MAX_RESULTS, ReconciliationQuery
from app.partners.models import PARTNER_KIND
from app.places.models import PLACE_LEVEL

MAX_BYTES = 1_000_000  # of the records that are compared for one query
PLACES = "places"
# The member with the type of a record, and the labels of the types.
TYPES = {"partners": ("kind", PARTNER_KIND), PLACES: ("level", PLACE_LEVEL)}
PLACE_MEMBERS = {"partners": "country", PLACES: "parent"}  # the place that tells a record from others

JsonRecord = dict[str, Any]


class CandidateType(BaseModel, defer_build=True):
    """A type of a record."""

    id: str = Field(description="Code of the kind of a partner or of the level of a place.", examples=["company"])
    name: str = Field(description="Label of the code in English.", examples=["Company"])


class Feature(BaseModel, defer_build=True):
    """A reason for the score of a candidate."""

    id: str = Field(description="Name of the feature. The guide explains each.", examples=["name_equal"])
    value: bool | float = Field(description="Whether it holds, or a number.", examples=[True])


class Candidate(BaseModel, defer_build=True):
    """A record that the name of a query can mean."""

    id: str = Field(description="Id of the record.", examples=["unido"])
    name: str = Field(description="The name of the record that is most similar to the query.")
    description: str = Field(description="What tells it from others with this name.")
    type: list[CandidateType] = Field(description="The kind of a partner, or the level of a place.")
    score: float = Field(description="How likely it is meant: 0 to 100.")
    match: bool = Field(description="Whether it is certain, so that nobody has to decide.")
    features: list[Feature] = Field(description="The reasons for the score.")


class Candidates(BaseModel, defer_build=True):
    """The candidates of one query."""

    result: list[Candidate] = Field(description="The candidates, the most likely first.")


class ReconciliationResults(RootModel[dict[str, Candidates]]):
    """The candidates of each query, by the key of the query."""


class Suggestion(BaseModel, defer_build=True):
    """A record that is suggested."""

    id: str = Field(description="Id of the record.", examples=["unido"])
    name: str = Field(description="Name of the record, in English if it has one.")
    description: str = Field(description="What tells it from others with this name.")
    notable: list[CandidateType] = Field(description="The kind of a partner, or the level of a place.")


class Suggestions(BaseModel, defer_build=True):
    """Records whose names contain the typed words."""

    result: list[Suggestion] = Field(description="The records, the best first.")


@cache
def _window(in_blocks: bool) -> Query:
    return window_of_candidates(in_blocks=in_blocks)


def read_results(resource: Resource, queries: Mapping[str, ReconciliationQuery]) -> Read:
    """Read the candidates of each query."""
    results: dict[str, Any] = {}
    for key, query in queries.items():
        results[key] = {"result": (yield from _candidates(resource, query))}
    return results


def _candidates(resource: Resource, query: ReconciliationQuery) -> Read:
    question = Question.of(resource, query)
    records = yield from find_records(resource, question.words, MAX_RESULTS)
    places = yield from read_places(resource, records)
    today = now()[:10]
    scored: list[tuple[Score, JsonRecord, NamedRecord]] = []
    for record in records.values():
        names = NamedRecord.of(resource, json.dumps(record))
        country = Country.of(record["country"], places.get(record["country"], {})) if record.get("country") else None
        result = score(question, record, names, country, today)
        if result is not None and _has_type(resource, record, query.types):
            scored.append((result, record, names))
    is_only_one = sum(result.is_equal for result, _, _ in scored) == 1
    scored.sort(key=lambda item: (-item[0].value, item[1]["id"]))
    return [
        {
            **described(resource, record, places, _closest_name(question, names)),
            "type": types_of(resource, record),
            "score": result.value,
            "match": result.is_equal and is_only_one,
            "features": [{"id": name, "value": value} for name, value in result.features.items()],
        }
        for result, record, names in scored[: min(query.limit, MAX_RESULTS)]
    ]


def find_records(resource: Resource, words: str, limit: int, skip: int = 0) -> Read:
    """Read the records that the search finds, by id, the best first."""
    page = yield from Ranking(words, _window, [resource]).read_page(None, skip + limit)
    ids = [hit.record_id for hit in page.hits[skip:]]
    bodies = (yield from reading_of(resource).bodies(ids, MAX_BYTES)) if ids else {}
    return {record_id: json.loads(bodies[record_id]) for record_id in ids if record_id in bodies}


def read_record(resource: Resource, record_id: str) -> Read:
    """Read a record as the only one of a dictionary, which is empty if there is none."""
    bodies = yield from reading_of(resource).bodies([record_id])
    return {key: json.loads(body) for key, body in bodies.items()}


def read_places(resource: Resource, records: Mapping[str, JsonRecord]) -> Read:
    """Read the countries of partners, or the wider places of places, by id."""
    member = PLACE_MEMBERS[resource.name]
    ids = sorted({record[member] for record in records.values() if record.get(member)})
    bodies = (yield from reading_of(RESOURCES[PLACES]).bodies(ids, MAX_BYTES)) if ids else {}
    return {place: json.loads(body) for place, body in bodies.items()}


def _has_type(resource: Resource, record: JsonRecord, types: set[str]) -> bool:
    return not types or resource.name in types or record[TYPES[resource.name][0]] in types


def types_of(resource: Resource, record: JsonRecord) -> list[dict[str, str]]:
    """Return the type of a record: its kind or level."""
    member, codes = TYPES[resource.name]
    return [{"id": record[member], "name": codes.codes[record[member]].en}]


def described(
    resource: Resource, record: JsonRecord, places: Mapping[str, JsonRecord], name: str | None = None
) -> dict[str, str]:
    """Return the id, the name and what tells a record from others with this name."""
    (kind,) = types_of(resource, record)
    place = places.get(record[PLACE_MEMBERS[resource.name]] or "")
    latest = (record["period"] or {}).get("latest") or OPEN_END
    facts = [kind["name"], *([_heading(place)] if place else []), *([f"until {latest}"] if latest < now()[:10] else [])]
    return {"id": record["id"], "name": name or _heading(record), "description": ", ".join(facts)}


def _heading(record: JsonRecord) -> str:
    """Return the English name of a record, or its first one."""
    names: dict[str, str] = record["name"]
    return names.get("en") or next(iter(names.values()))


def _closest_name(question: Question, names: NamedRecord) -> str | None:
    """Return the name in the language of the query, if the query has one of the names."""
    words = {folded_name(question.text), folded_name(question.words)}
    return next((title for title in names.titles.values() if folded_name(title) in words), None)
