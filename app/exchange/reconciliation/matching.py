"""The score of a candidate, and whether it is certain.

Precision comes before recall: a wrong match is worse than a name about which a person has to decide. Only a name that
is equal to that of one record alone is a match. Many countries have a ministry with the same name, so an authority also
has to be of the country that the query states.
"""

from itertools import product
from typing import Any, NamedTuple

from rapidfuzz import fuzz

from app.core.model.resource import Resource
from app.core.values.dates import parse_edtf
from app.exchange.imports.planning.names import NamedRecord, folded_name, normalized_name
from app.exchange.reconciliation.countries import Country, NameAndCountry, without_country
from app.exchange.reconciliation.queries import ReconciliationQuery

AUTHORITIES = ("government", "local_government")  # kinds of partners of which each country has one with the same name
COUNTRY = "country"
DATE = "date"

EQUAL = 100.0
ALTERNATIVE = 95.0
WITHOUT_DIACRITICS = 85.0
SIMILAR = 0.75  # times the percentage of similarity
LEAST_SIMILAR = 60.0  # percent
DOUBT = 10.0  # subtracted for each doubt


class Question(NamedTuple):
    """A query with the texts that are compared."""

    query: ReconciliationQuery
    text: str  # normalized, as all names that are compared
    split: NameAndCountry | None
    day: str | None  # the day that the query states

    @classmethod
    def of(cls, resource: Resource, query: ReconciliationQuery) -> "Question":
        """Return the question of a query."""
        split = without_country(query.query) if resource.name == "partners" else None
        return cls(query, normalized_name(query.query), split, _stated_day(query))

    @property
    def words(self) -> str:
        """The words to search for: the name without a country."""
        return self.split.name if self.split else self.query.query


class Score(NamedTuple):
    """The score of a candidate from 0 to 100, the features that explain it, and whether it can be a certain match."""

    value: float
    features: dict[str, float | bool]
    is_equal: bool


def _stated_day(query: ReconciliationQuery) -> str | None:
    for value in query.values_of(DATE):
        try:
            return parse_edtf(str(value)[:40]).days()[0]
        except ValueError:
            continue
    return None


def score(
    question: Question, record: dict[str, Any], names: NamedRecord, country: Country | None, today: str
) -> Score | None:
    """Return the score of a record, or None if it cannot be meant."""
    how = "code" if record["id"] == question.text else names.how(question.text)
    stated = question.query.values_of(COUNTRY)
    agrees = country.agrees(stated) if country else None
    if how is None and question.split:
        in_text = country.agrees([question.split.country]) if country else None
        if in_text is False:
            return None
        agrees = agrees if stated else in_text
        how = names.how(question.split.name) if in_text else None
    elif question.split and not stated and country:
        agrees = country.agrees([question.split.country]) or None
    if agrees is False:
        return None
    similarity = _similarity(question, names)
    needs_country = record.get("kind") in AUTHORITIES and how != "code" and agrees is not True
    exists = names.period[0] <= (question.day or today) <= names.period[1]
    features: dict[str, float | bool] = {
        "name_equal": how == "name",
        "alternative_name_equal": how == "alternative_name",
        "code_equal": how == "code",
        "name_similarity": round(similarity, 1),
        "exists": exists,
    }
    if country is not None:
        features |= {"country_agrees": agrees is True, "country_missing": needs_country}
    value = _base(how, similarity)
    if value is None:
        return None
    value -= DOUBT * (needs_country + (not exists))
    is_equal = how is not None and not needs_country and not (stated and country and agrees is None)
    return Score(round(value, 1), features, is_equal and (exists or question.day is None))


def _similarity(question: Question, names: NamedRecord) -> float:
    """Return how similar the most similar name is without diacritics, in percent."""
    texts = {folded_name(text) for text in (question.text, question.words)}
    all_names = [folded_name(name) for name in (*names.names, *names.others)]
    return max((fuzz.token_sort_ratio(*pair) for pair in product(texts, all_names)), default=0.0)


def _base(how: str | None, similarity: float) -> float | None:
    if how is not None:
        return ALTERNATIVE if how == "alternative_name" else EQUAL
    if similarity == 100.0:
        return WITHOUT_DIACRITICS
    return SIMILAR * similarity if similarity >= LEAST_SIMILAR else None
