"""Names that mislead, because two partners have them."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import CTE, ColumnElement, func, literal_column, select

from app.analysis.audit.rule import Case, Finding, JsonRecord, related_records, rule
from app.core.database.sql import one_of, position_of, unindexed
from app.core.database.statements import Query
from app.core.values.text import fold
from app.partners.models import PARTNERS

PARTNER: Any = PARTNERS.table
SEPARATOR: Any = literal_column("' | '")  # between the names in `name_text`
EMPTY: Any = literal_column("''")
IS_CURATED = PARTNER.managed_by.is_(None)
IS_CURRENT = unindexed(PARTNER.merged_into).is_(None)


def _names_of_partners(name: str, *where: ColumnElement[bool]) -> CTE:
    """Return a table expression with a row for each name of these partners."""
    names = PARTNER.name_text.concat(SEPARATOR)
    whole = select(PARTNER.id, literal_column("CAST('' AS TEXT)").label("name"), names.label("rest"))
    split = whole.where(IS_CURRENT, *where).cte(name, recursive=True)
    rest: Any = split.c.rest
    end: Any = position_of(rest, SEPARATOR)
    head = func.substr(rest, literal_column("1"), end - literal_column("1"))
    tail = func.substr(rest, end + literal_column("3"))
    return split.union_all(select(split.c.id, head, tail).where(rest != EMPTY))


def _curated_namesakes() -> Iterator[Query]:
    """Return the query for the curated partners that have a name of a candidate."""
    own: Any = _names_of_partners("own_names", one_of(PARTNER.id, "ids"))
    curated: Any = _names_of_partners("curated_names", IS_CURATED)
    pairs = select(own.c.id.label("own_id"), curated.c.id.label("curated_id"))
    pairs = pairs.where(own.c.name != EMPTY, own.c.name == curated.c.name)
    # Distinct, so that SQLite finds the pairs before it reads any record.
    namesakes: Any = pairs.distinct().subquery("namesakes")
    yield related_records(PARTNERS, namesakes.c.own_id, namesakes.c.curated_id == PARTNER.id)


@rule(
    "A partner's own record has the name of a curated partner",
    "Bản ghi của đối tác trùng tên với đối tác do cơ quan đăng ký quản lý",
    "note",
    PARTNERS,
    ~IS_CURATED,
    IS_CURRENT,
    related=_curated_namesakes,
)
def name_of_curated_partner(case: Case) -> Iterator[Finding]:
    """A record that a partner manages has a name, alias or abbreviation of a partner that the registry curates.

    Letter case and diacritics do not count. In imports, the name means the curated partner.
    """
    own_names = _folded_names(case.record)
    for curated in {record["id"]: record for record in case.related}.values():
        shared = [name for folded, name in _folded_names(curated).items() if folded in own_names]
        if shared:
            yield case.finding(
                "Trùng tên với {curated}, do sổ đăng ký quản lý: {shared}.",
                "It has a name of {curated}, which the registry manages: {shared}.",
                evidence=[(case.record, ("name", "aliases")), (curated, ("name", "aliases"))],
                curated=curated["name"],
                shared=", ".join(shared),
            )


def _folded_names(partner: JsonRecord) -> Mapping[str, str]:
    """Return the names, aliases and abbreviation of a partner by their form without letter case and diacritics."""
    names = [*partner["name"].values(), *partner["aliases"], *filter(None, [partner["abbreviation"]])]
    return {" ".join(fold(name).split()): name for name in names}
