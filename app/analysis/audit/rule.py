"""The parts of an audit rule: the decorator `@rule`, the `Case` that it examines, and the `Finding` that it returns.

A rule examines the records of one resource. It has two halves. SQL conditions, given to the decorator, select the
candidates: a small superset of the records that can be wrong, so that the audit need not read the whole registry. The
decorated function then receives a `Case` for each candidate, with the record, the related records that the rule needs
(queries of `related_records()`, passed as `related`) and the day of the audit. It examines them exactly, with ranges
and imprecise dates, and yields a finding (`case.finding(…)`) for each thing that does not fit.

To add a rule, write such a function in the module of `rules/` that it belongs to. Its name, docstring, labels and
severity are published at `/v1/audit/rules`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, or_

from app.core.database.sql import one_of
from app.core.database.statements import Query
from app.core.model.resource import Resource
from app.core.model.support import supported_field
from app.core.stored_records import query_in_order, select_keys
from app.core.values.codelists import Code, CodeList
from app.core.values.date_texts import date_text

SEVERITY = CodeList(
    "audit_severity",
    "The severity of a finding, from the lowest to the highest. "
    "`note`: worth knowing, and nothing need be wrong. "
    "`warning`: something is missing or does not fit. "
    "`error`: two statements cannot both be true.",
    {
        "note": Code("Worth knowing; nothing need be wrong", "Đáng lưu ý, chưa hẳn có gì sai"),
        "warning": Code("Something is missing or does not fit", "Có điều còn thiếu hoặc chưa khớp"),
        "error": Code("Two statements cannot both be true", "Hai điều nêu ra không thể cùng đúng"),
    },
)

JsonRecord = Mapping[str, Any]  # the published representation of a record

# A condition or queries, or a function that builds them on the first use of the rule, where that is slow.
Condition = ColumnElement[bool] | Callable[[], ColumnElement[bool]]
Queries = tuple[Query, ...] | Callable[[], Iterable[Query]]


@dataclass(frozen=True)
class Finding:
    """One result of a rule: the records involved (the first is the subject), their evidence and the computation."""

    rule: str
    severity: str
    message: dict[str, str]
    records: list[dict[str, str]]
    evidence: list[dict[str, Any]]
    computed: dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    """A candidate (`record`) with its related records, as a rule receives it. `as_of` is the audit's day (ISO 8601)."""

    rule: "Rule"
    record: JsonRecord
    related: list[JsonRecord]
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
        """Return a finding about this case.

        `vi` and `en` are templates of the message, filled with `values`: numbers, texts or language maps. `evidence`
        lists records with the fields whose citations prove the finding, `also` other records that are involved.
        """
        cited = list(evidence)
        involved = [self.record, *(record for record, _ in cited), *also]
        keys = dict.fromkeys((record["resource"], record["id"]) for record in involved)
        return Finding(
            self.rule.name,
            self.rule.severity,
            {"vi": vi.format(**_texts(values, "vi")), "en": en.format(**_texts(values, "en"))},
            [{"resource": resource, "id": record_id} for resource, record_id in keys],
            list(chain.from_iterable(citations(record, *fields) for record, fields in cited)),
            computed,
        )


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule for one resource. Rules with the same name are one rule for several resources.

    `conditions` select the candidates; they can bind `as_of`. `related` holds queries of `related_records()`.
    """

    name: str
    label: Code
    severity: str
    resource: Resource
    description: str
    conditions: tuple[Condition, ...]
    related: Queries
    examine: Callable[[Case], Iterator[Finding]]
    records_in_step: int | None = None  # number of records that cost a step, if finding the candidates takes long

    @cached_property
    def where(self) -> list[ColumnElement[bool]]:
        """The conditions that select the candidates."""
        return [condition() if callable(condition) else condition for condition in self.conditions]

    @cached_property
    def related_queries(self) -> tuple[Query, ...]:
        """The queries that read the related records of candidates."""
        return tuple(self.related()) if callable(self.related) else self.related


RULES: list[Rule] = []

AS_OF: Any = bindparam("as_of")


def rule(
    en: str,
    vi: str,
    severity: str,
    resource: Resource,
    *where: Condition,
    related: Queries = (),
    name: str = "",
    records_in_step: int | None = None,
) -> Callable[[Callable[[Case], Iterator[Finding]]], Callable[[Case], Iterator[Finding]]]:
    """Register a function as an audit rule: its name (unless `name` is passed) and docstring become the rule's.

    Pass `records_in_step` if the conditions read whole records. Then this many records cost one step of the walk.
    `en` and `vi` are the labels, `severity` is a code of audit_severity, and `where` are the conditions that select
    the candidates among the records of the resource.
    """
    SEVERITY.check(severity)

    def register(examine: Callable[[Case], Iterator[Finding]]) -> Callable[[Case], Iterator[Finding]]:
        description = " ".join((examine.__doc__ or "").split())
        label = Code(en, vi)
        registered = Rule(
            name or examine.__name__, label, severity, resource, description, where, related, examine, records_in_step
        )
        RULES.append(registered)
        return examine

    return register


def related_records(resource: Resource, key: Any, *where: ColumnElement[bool]) -> Query:
    """Return the query that reads published records of a resource which are related to candidates.

    `key` is the column with the candidate's id, and `where` relates the two.
    """
    related = select_keys(resource, key.label("key")).where(one_of(key, "ids"), *where)
    return query_in_order(resource, related.order_by(key, resource.table.id))


def is_one_of(column: Any, codes: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of our own codes, which become part of the SQL text."""
    condition: ColumnElement[bool] = column.in_([literal_column(f"'{code}'") for code in codes])
    return condition


def is_same(left: Any, right: Any) -> ColumnElement[bool]:
    """Return the condition that both are equal or both are NULL, in a form for which PostgreSQL can use an index."""
    return or_(left == right, and_(left.is_(None), right.is_(None)))


def citations(record: JsonRecord, *fields: str) -> list[dict[str, Any]]:
    """Return the citations of these fields or, if there are none, those of the record as a whole."""
    cited = record["citations"]
    matching = [citation for citation in cited if _supported(citation) & set(fields)]
    matching = matching or [citation for citation in cited if not citation["supports"]]
    return [{"resource": record["resource"], "id": record["id"], **citation} for citation in matching]


def _supported(citation: JsonRecord) -> set[str]:
    """Return the fields that a citation supports, in whole or in part."""
    return set(map(supported_field, citation["supports"]))


def date_in_words(edtf: str, *, is_extent: bool = False) -> dict[str, str]:
    """Return an EDTF date as it is written in each language. With `is_extent`, an interval is a period."""
    return {language: date_text(edtf, language, is_extent=is_extent) for language in ("vi", "en")}


def _texts(values: Mapping[str, Any], language: str) -> dict[str, str]:
    return {name: in_language(value, language) for name, value in values.items()}


def in_language(value: Any, language: str) -> str:
    """Return a number, text or language map as it is written in a language (`vi` or `en`)."""
    if isinstance(value, Mapping):
        return str(value.get(language) or value.get("en") or next(iter(value.values())))
    if isinstance(value, int | float | Decimal):
        grouped = f"{value:,}"
        return grouped if language == "en" else grouped.translate(str.maketrans(",.", ".,"))
    return str(value)
