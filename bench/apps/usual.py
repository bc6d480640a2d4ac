"""A peer: the API as tutorials of FastAPI and SQLModel write it, over the same facts in a schema of its own.

Table models with relationships, a session dependency, `def` routes, `selectinload`, response models, and pages with
offset, limit and a count. It does not check query parameters it does not know, and it keeps no history.
"""

import os
from collections.abc import Iterator
from typing import Annotated, Any

import sqlalchemy
from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy import JSON, Column, func
from sqlalchemy.orm import selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, col, create_engine, or_, select


class ProjectPlace(SQLModel, table=True):
    project_id: str = Field(foreign_key="project.id", primary_key=True)
    place_id: str = Field(foreign_key="place.id", primary_key=True, index=True)


class AgreementParty(SQLModel, table=True):
    agreement_id: str = Field(foreign_key="agreement.id", primary_key=True)
    partner_id: str = Field(foreign_key="partner.id", primary_key=True, index=True)


class PlaceBase(SQLModel):
    id: str = Field(primary_key=True)
    name_vi: str
    name_en: str
    level: str


class Place(PlaceBase, table=True):
    pass


class PartnerBase(SQLModel):
    id: str = Field(primary_key=True)
    name_vi: str
    name_en: str
    kind: str = Field(index=True)
    abbreviation: str | None = None
    parent_id: str | None = Field(default=None, foreign_key="partner.id")


class Partner(PartnerBase, table=True):
    pass


class CitationBase(SQLModel):
    document_id: str = Field(foreign_key="document.id", index=True)
    paragraph: int
    as_written: str


class Citation(CitationBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    project_id: str | None = Field(default=None, foreign_key="project.id", index=True)
    agreement_id: str | None = Field(default=None, foreign_key="agreement.id", index=True)
    milestone_id: str | None = Field(default=None, foreign_key="milestone.id", index=True)
    figure_id: str | None = Field(default=None, foreign_key="figure.id", index=True)


class Document(SQLModel, table=True):
    id: str = Field(primary_key=True)
    title_vi: str
    title_en: str
    url: str
    published_on: str


class RoleBase(SQLModel):
    role: str
    partner_id: str = Field(foreign_key="partner.id", index=True)


class Role(RoleBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    project_id: str = Field(foreign_key="project.id", index=True)
    partner: Partner = Relationship()


class AgreementBase(SQLModel):
    id: str = Field(primary_key=True)
    title_vi: str
    title_en: str
    kind: str
    status: str
    signed_on: str
    project_id: str = Field(foreign_key="project.id", index=True)


class Agreement(AgreementBase, table=True):
    parties: list[Partner] = Relationship(link_model=AgreementParty)
    citations: list[Citation] = Relationship()


class MilestoneBase(SQLModel):
    id: str = Field(primary_key=True)
    title_vi: str
    title_en: str
    kind: str
    status: str
    date: str = Field(index=True)
    place_id: str = Field(foreign_key="place.id")
    project_id: str = Field(foreign_key="project.id", index=True)


class Milestone(MilestoneBase, table=True):
    citations: list[Citation] = Relationship()


class FigureBase(SQLModel):
    id: str = Field(primary_key=True)
    indicator: str = Field(index=True)
    kind: str = Field(index=True)
    value: float
    unit: str
    period: str
    place_id: str | None = Field(default=None, foreign_key="place.id", index=True)
    project_id: str = Field(foreign_key="project.id", index=True)


class Figure(FigureBase, table=True):
    citations: list[Citation] = Relationship()


class ProjectBase(SQLModel):
    id: str = Field(primary_key=True)
    title_vi: str
    title_en: str
    description_en: str
    kind: str = Field(index=True)
    status: str = Field(index=True)
    period_start: str = Field(index=True)
    period_end: str
    sectors: list[str] = Field(default=[], sa_column=Column(JSON))
    sdgs: list[str] = Field(default=[], sa_column=Column(JSON))


class Project(ProjectBase, table=True):
    roles: list[Role] = Relationship()
    places: list[Place] = Relationship(link_model=ProjectPlace)
    citations: list[Citation] = Relationship()
    agreements: list[Agreement] = Relationship()
    milestones: list[Milestone] = Relationship()
    figures: list[Figure] = Relationship()


class RoleRead(RoleBase):
    partner: PartnerBase


class AgreementRead(AgreementBase):
    parties: list[PartnerBase]
    citations: list[CitationBase]


class MilestoneRead(MilestoneBase):
    citations: list[CitationBase]


class FigureRead(FigureBase):
    citations: list[CitationBase]


class ProjectRead(ProjectBase):
    roles: list[RoleBase]
    places: list[PlaceBase]
    citations: list[CitationBase]


class ProjectDetail(ProjectBase):
    roles: list[RoleRead]
    places: list[PlaceBase]
    citations: list[CitationBase]
    agreements: list[AgreementRead]
    milestones: list[MilestoneRead]
    figures: list[FigureRead]


class ProjectPage(SQLModel):
    items: list[ProjectRead]
    total: int


engine = create_engine(os.environ.get("USUAL_DATABASE_URL", "sqlite://"))
app = FastAPI()


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def related(*path: Any) -> Any:
    """Return `selectinload` along a path of relationships, which type checkers do not accept."""
    option = selectinload(path[0])
    for relationship in path[1:]:
        option = option.selectinload(relationship)
    return option


LIST = (related(Project.roles), related(Project.places), related(Project.citations))
DETAIL = (
    related(Project.roles, Role.partner),
    related(Project.places),
    related(Project.citations),
    related(Project.agreements, Agreement.parties),
    related(Project.agreements, Agreement.citations),
    related(Project.milestones, Milestone.citations),
    related(Project.figures, Figure.citations),
)


@app.get("/projects", response_model=ProjectPage)
def list_projects(
    session: SessionDep,
    status: str | None = None,
    sort: str = "-period_start",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    column = getattr(Project, sort.removeprefix("-"))
    query = select(Project).options(*LIST).order_by(column.desc() if sort.startswith("-") else column, col(Project.id))
    counting = select(func.count()).select_from(Project)
    if status:
        query = query.where(Project.status == status)
        counting = counting.where(Project.status == status)
    items = session.exec(query.offset(offset).limit(limit)).all()
    return {"items": items, "total": session.exec(counting).one()}


@app.get("/projects/search", response_model=list[ProjectRead])
def search_projects(session: SessionDep, q: str, limit: int = 20) -> Any:
    matches = or_(col(Project.title_vi).ilike(f"%{q}%"), col(Project.title_en).ilike(f"%{q}%"))
    return session.exec(select(Project).options(*LIST).where(matches).order_by(col(Project.id)).limit(limit)).all()


@app.get("/projects/search/total")
def total_of_projects(session: SessionDep, q: str) -> int:
    matches = or_(col(Project.title_vi).ilike(f"%{q}%"), col(Project.title_en).ilike(f"%{q}%"))
    return session.exec(select(func.count()).select_from(Project).where(matches)).one()


@app.get("/projects/counts")
def count_projects(session: SessionDep, by: str, status: str | None = None) -> dict[str, int]:
    column = getattr(Project, by)
    query = select(column, func.count()).group_by(column)
    return dict(session.exec(query.where(Project.status == status) if status else query).all())


@app.get("/figures/totals")
def total_figures(session: SessionDep, kind: str, place: str) -> list[dict[str, Any]]:
    value = col(Figure.value)
    totals = (func.sum(value), func.count(), func.min(value), func.max(value))
    query = sqlalchemy.select(col(Figure.indicator), *totals).where(
        col(Figure.kind) == kind, col(Figure.place_id) == place
    )
    rows = session.execute(query.group_by(col(Figure.indicator))).all()
    return [dict(zip(("indicator", "sum", "count", "min", "max"), row, strict=True)) for row in rows]


@app.get("/projects/{project_id}", response_model=ProjectDetail)
def read_project(session: SessionDep, project_id: str) -> Any:
    project = session.exec(select(Project).options(*DETAIL).where(Project.id == project_id)).first()
    if project is None:
        raise HTTPException(404)
    return project
