"""Load the same facts into the plain tables of the peers: `python -m bench.peers URL …`.

This runs in its own process, because the table classes of the peer and of Hoptac have the same names.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, create_engine, insert, text
from sqlmodel import SQLModel

from bench.apps import usual
from bench.generate import Generator, Record

Rows = Iterator[tuple[type[SQLModel], dict[str, Any]]]


def in_languages(name: str, texts: dict[str, str]) -> dict[str, str]:
    return {f"{name}_vi": texts["vi"], f"{name}_en": texts["en"]}


def citations(owner: str, record: Record) -> Rows:
    owners: dict[str, Any] = dict.fromkeys(("project_id", "agreement_id", "milestone_id", "figure_id"))
    for citation in record.fields["citations"]:
        row = {name: citation[name] for name in ("paragraph", "as_written")} | {"document_id": citation["document"]}
        yield usual.Citation, {**owners, owner: record.id, **row}


def places(record: Record) -> Rows:
    yield usual.Place, {"id": record.id, **in_languages("name", record.fields["name"]), "level": record.fields["level"]}


def partners(record: Record) -> Rows:
    optional = {"abbreviation": record.fields.get("abbreviation"), "parent_id": record.fields.get("parent")}
    yield (
        usual.Partner,
        {"id": record.id, **in_languages("name", record.fields["name"]), "kind": record.fields["kind"], **optional},
    )


def documents(record: Record) -> Rows:
    rest = {name: record.fields[name] for name in ("url", "published_on")}
    yield usual.Document, {"id": record.id, **in_languages("title", record.fields["title"]), **rest}


def projects(record: Record) -> Rows:
    fields = record.fields
    start, _, end = fields["period"].partition("/")
    same = {name: fields[name] for name in ("kind", "status", "sectors", "sdgs")}
    own = {
        "id": record.id,
        **in_languages("title", fields["title"]),
        "description_en": fields["description"]["en"],
        **same,
    }
    yield usual.Project, {**own, "period_start": start, "period_end": end}
    for role in fields["roles"]:
        yield usual.Role, {"project_id": record.id, "partner_id": role["partner"], "role": role["role"]}
    for place in fields["places"]:
        yield usual.ProjectPlace, {"project_id": record.id, "place_id": place}
    yield from citations("project_id", record)


def agreements(record: Record) -> Rows:
    fields = record.fields
    same = {name: fields[name] for name in ("kind", "status", "signed_on")}
    own = {"id": record.id, **in_languages("title", fields["title"]), **same, "project_id": fields["projects"][0]}
    yield usual.Agreement, own
    for party in fields["parties"]:
        yield usual.AgreementParty, {"agreement_id": record.id, "partner_id": party["partner"]}
    yield from citations("agreement_id", record)


def milestones(record: Record) -> Rows:
    fields = record.fields
    same = {name: fields[name] for name in ("kind", "status", "date")}
    links = {"place_id": fields["place"], "project_id": fields["project"]}
    yield usual.Milestone, {"id": record.id, **in_languages("title", fields["title"]), **same, **links}
    yield from citations("milestone_id", record)


def figures(record: Record) -> Rows:
    fields = record.fields
    same = {name: fields[name] for name in ("indicator", "kind", "value", "unit", "period")}
    yield usual.Figure, {"id": record.id, **same, "place_id": fields["places"][0], "project_id": fields["project"]}
    yield from citations("figure_id", record)


ROWS: dict[str, Callable[[Record], Rows]] = {
    rows.__name__: rows for rows in (places, partners, documents, projects, agreements, milestones, figures)
}


def write(connection: Connection, chunk: list[Record]) -> None:
    tables: dict[type[SQLModel], list[dict[str, Any]]] = {}
    for record in chunk:
        for table, row in ROWS[record.resource](record) if record.resource in ROWS else ():
            tables.setdefault(table, []).append(row)
    order = {table.name: number for number, table in enumerate(SQLModel.metadata.sorted_tables)}
    for table, rows in sorted(tables.items(), key=lambda pair: order[pair[0].__tablename__]):  # type: ignore[index]
        connection.execute(insert(table), rows)


def index_words(connection: Connection) -> None:
    """Create the full-text index as the documentation of Datasette shows; Datasette detects it."""
    options = "content='project', tokenize='unicode61 remove_diacritics 2'"
    connection.execute(
        text(f"CREATE VIRTUAL TABLE project_fts USING fts5(title_vi, title_en, description_en, {options})")
    )
    connection.execute(text("INSERT INTO project_fts(project_fts) VALUES ('rebuild')"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("size", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("children", type=float)
    options = parser.parse_args()
    engine = create_engine(options.url)
    SQLModel.metadata.create_all(engine)
    for chunk in Generator(options.size, options.seed, options.children).chunks():
        with engine.begin() as connection:
            write(connection, chunk)
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            index_words(connection)
    engine.dispose()


if __name__ == "__main__":
    main()
