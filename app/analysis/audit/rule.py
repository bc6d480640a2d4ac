"""What an audit rule is: candidates found by SQL, a small function that decides, and the finding it makes.

Adding a rule: write the function, documented, in the file of `rules/` that it belongs to, under `@rule`. Its name,
docstring and severity are served as they stand there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, or_

from app.core.database.sql import one_of
from app.core.database.statements import Query
from app.core.model.resource import Resource
from app.core.reading.includes import select_stored
from app.core.values.codelists import Code, CodeList

SEVERITY = CodeList(
    "audit_severity",
    "How much a finding weighs, from the lightest to the heaviest.",
    {
        "note": Code("Worth knowing; nothing need be wrong", "Đáng lưu ý, chưa hẳn có gì sai"),
        "warning": Code("Something is missing or does not fit", "Có điều còn thiếu hoặc chưa khớp"),
        "error": Code("Two statements cannot both be true", "Hai điều nêu ra không thể cùng đúng"),
    },
)

JsonRecord = Mapping[str, Any]  # a record as it is published

# As they are, or a function that makes them when the rule is first asked.
Condition = ColumnElement[bool] | Callable[[], ColumnElement[bool]]

Queries = tuple[Query, ...] | Callable[[], Iterable[Query]]


@dataclass(frozen=True)
class Finding:
    """What a rule found: its records (the first is what it is about), their evidence and how it was computed."""

    rule: str
    severity: str
    message: dict[str, str]
    records: list[dict[str, str]]
    evidence: list[dict[str, Any]]
    computed: dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    """A candidate with the records beside it that a rule asked for, on the day of the audit (ISO 8601)."""

    rule: "Rule"
    record: JsonRecord
    candidates: list[JsonRecord]
    as_of: str

    def finding(
        self,
        vi: str,
        en: str,
        *,
        evidence: Iterable[tuple[JsonRecord, tuple[str, ...]]],
        also: Iterable[JsonRecord] = (),
        computed: dict[str, Any] | None = None,
        **values: Any,
    ) -> Finding:
        """A finding on this case. `evidence`: records with the fields whose citations matter; `also`: further records.

        The messages are templates; a value is a number, a text, or a language map.
        """
        cited = list(evidence)
        records = {(one["resource"], one["id"]): None for one in (self.record, *(one for one, _ in cited), *also)}
        return Finding(
            self.rule.name,
            self.rule.severity,
            {"vi": vi.format(**_written(values, "vi")), "en": en.format(**_written(values, "en"))},
            [{"resource": resource, "id": record_id} for resource, record_id in records],
            [each for record, fields in cited for each in citations(record, *fields)],
            computed,
        )


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule for one resource; rules of one name ask the same of several.

    `conditions` narrow the candidates in SQL (they may bind `as_of`), `queries` are made by `candidates_by()`.
    """

    name: str
    label: Code
    severity: str
    resource: Resource
    about: str
    conditions: tuple[Condition, ...]
    queries: Queries
    decide: Callable[[Case], Iterator[Finding]]

    @cached_property
    def where(self) -> list[ColumnElement[bool]]:
        """What holds of its candidates."""
        return [each() if callable(each) else each for each in self.conditions]

    @cached_property
    def beside(self) -> tuple[Query, ...]:
        """What brings the records beside them."""
        return tuple(self.queries()) if callable(self.queries) else self.queries


RULES: list[Rule] = []

AS_OF: Any = bindparam("as_of")


def rule(
    en: str,
    vi: str,
    severity: str,
    resource: Resource,
    *where: Condition,
    beside: Queries = (),
    name: str = "",
) -> Callable[[Callable[[Case], Iterator[Finding]]], Callable[[Case], Iterator[Finding]]]:
    """Make a function an audit rule: its name and docstring are the rule's."""
    SEVERITY.check(severity)

    def register(decide: Callable[[Case], Iterator[Finding]]) -> Callable[[Case], Iterator[Finding]]:
        about = " ".join((decide.__doc__ or "").split())
        found = Rule(name or decide.__name__, Code(en, vi), severity, resource, about, where, beside, decide)
        RULES.append(found)
        return decide

    return register


def candidates_by(resource: Resource, key: Any, *where: ColumnElement[bool]) -> Query:
    """Published records of a resource that stand beside candidates; `key` is the candidate's id."""
    return Query(select_stored(resource, key).where(one_of(key, "ids"), *where).order_by(key, resource.table.id))


def is_one_of(column: Any, codes: Iterable[str]) -> ColumnElement[bool]:
    """One of our own codes, written into the statement."""
    found: ColumnElement[bool] = column.in_([literal_column(f"'{code}'") for code in codes])
    return found


def is_same(one: Any, other: Any) -> ColumnElement[bool]:
    """Equal, or both absent; in a form for which PostgreSQL can use an index."""
    return or_(one == other, and_(one.is_(None), other.is_(None)))


def citations(record: JsonRecord, *fields: str) -> list[dict[str, Any]]:
    """Its citations for these fields; where there are none, those for the record as a whole."""
    cited = record["citations"]
    found = [each for each in cited if {name.partition(".")[0] for name in each["supports"]} & set(fields)]
    found = found or [each for each in cited if not each["supports"]]
    return [{"resource": record["resource"], "id": record["id"], **each} for each in found]


def _written(values: Mapping[str, Any], language: str) -> dict[str, str]:
    return {name: in_language(value, language) for name, value in values.items()}


def in_language(value: Any, language: str) -> str:
    """A value as a text of that language writes it."""
    if isinstance(value, Mapping):
        return str(value.get(language) or value.get("en") or next(iter(value.values())))
    if isinstance(value, int | float | Decimal):
        grouped = f"{value:,}"
        return grouped if language == "en" else grouped.translate(str.maketrans(",.", ".,"))
    return str(value)
