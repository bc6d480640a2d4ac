"""Writes the same facts into the plain tables that the peers serve: `python -m bench.peers URL …`.

A process of its own, because the peer's table classes and ours have the same names.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, create_engine, insert, text
from sqlmodel import SQLModel

from bench.apps import usual
from bench.generate import Generator, Made

Rows = Iterator[tuple[type[SQLModel], dict[str, Any]]]


def both(name: str, texts: dict[str, str]) -> dict[str, str]:
    return {f"{name}_vi": texts["vi"], f"{name}_en": texts["en"]}


def citations(owner: str, made: Made) -> Rows:
    owners: dict[str, Any] = dict.fromkeys(("project_id", "agreement_id", "milestone_id", "figure_id"))
    for each in made.fields["citations"]:
        row = {"document_id": each["document"], "paragraph": each["paragraph"], "as_written": each["as_written"]}
        yield usual.Citation, {**owners, owner: made.id, **row}


def places(made: Made) -> Rows:
    yield usual.Place, {"id": made.id, **both("name", made.fields["name"]), "level": made.fields["level"]}


def partners(made: Made) -> Rows:
    some = {name: made.fields.get(given) for name, given in (("abbreviation", "abbreviation"), ("parent_id", "parent"))}
    yield usual.Partner, {"id": made.id, **both("name", made.fields["name"]), "kind": made.fields["kind"], **some}


def documents(made: Made) -> Rows:
    rest = {name: made.fields[name] for name in ("url", "published_on")}
    yield usual.Document, {"id": made.id, **both("title", made.fields["title"]), **rest}


def projects(made: Made) -> Rows:
    fields = made.fields
    start, _, end = fields["period"].partition("/")
    same = {name: fields[name] for name in ("kind", "status", "sectors", "sdgs")}
    own = {"id": made.id, **both("title", fields["title"]), "description_en": fields["description"]["en"], **same}
    yield usual.Project, {**own, "period_start": start, "period_end": end}
    for each in fields["roles"]:
        yield usual.Role, {"project_id": made.id, "partner_id": each["partner"], "role": each["role"]}
    for place in fields["places"]:
        yield usual.ProjectPlace, {"project_id": made.id, "place_id": place}
    yield from citations("project_id", made)


def agreements(made: Made) -> Rows:
    fields = made.fields
    same = {name: fields[name] for name in ("kind", "status", "signed_on")}
    own = {"id": made.id, **both("title", fields["title"]), **same, "project_id": fields["projects"][0]}
    yield usual.Agreement, own
    for party in fields["parties"]:
        yield usual.AgreementParty, {"agreement_id": made.id, "partner_id": party["partner"]}
    yield from citations("agreement_id", made)


def milestones(made: Made) -> Rows:
    fields = made.fields
    same = {name: fields[name] for name in ("kind", "status", "date")}
    links = {"place_id": fields["place"], "project_id": fields["project"]}
    yield usual.Milestone, {"id": made.id, **both("title", fields["title"]), **same, **links}
    yield from citations("milestone_id", made)


def figures(made: Made) -> Rows:
    fields = made.fields
    same = {name: fields[name] for name in ("indicator", "kind", "value", "unit", "period")}
    yield usual.Figure, {"id": made.id, **same, "place_id": fields["places"][0], "project_id": fields["project"]}
    yield from citations("figure_id", made)


ROWS: dict[str, Callable[[Made], Rows]] = {
    each.__name__: each for each in (places, partners, documents, projects, agreements, milestones, figures)
}


def write(connection: Connection, chunk: list[Made]) -> None:
    tables: dict[type[SQLModel], list[dict[str, Any]]] = {}
    for made in chunk:
        for table, row in ROWS[made.resource](made) if made.resource in ROWS else ():
            tables.setdefault(table, []).append(row)
    order = {table.name: number for number, table in enumerate(SQLModel.metadata.sorted_tables)}
    for table, rows in sorted(tables.items(), key=lambda pair: order[pair[0].__tablename__]):  # type: ignore[index]
        connection.execute(insert(table), rows)


def index_words(connection: Connection) -> None:
    """The full-text index that Datasette finds by itself, made as its documentation says."""
    made = "content='project', tokenize='unicode61 remove_diacritics 2'"
    connection.execute(text(f"CREATE VIRTUAL TABLE project_fts USING fts5(title_vi, title_en, description_en, {made})"))
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
