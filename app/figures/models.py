"""Figures: each is one number that a source states, with its kind, period, place and speaker."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StringConstraints, model_validator
from pydantic import Field as PydanticField
from sqlalchemy import Boolean, Column, Double, Index, Table, Text, select
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.errors import ErrorItem
from app.core.model.columns import noun_key
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, RangeFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, link_table, list_indexes, refers_to
from app.core.values.dates import Edtf
from app.core.values.evidence import Value, Voice
from app.core.values.links import (
    AgreementId,
    DocumentId,
    FigureId,
    IndicatorId,
    MilestoneId,
    PartnerId,
    PlaceId,
    ProjectId,
)
from app.core.values.text import LanguageMap, Line
from app.core.writing.integrity import Proposal
from app.figures.codelists import FIGURE_KIND, FIGURE_RELATION, MEASURED, QUALIFIER, UNIT
from app.figures.indicators import INDICATORS
from app.figures.units import UNIT_TEXT, check_unit_text, has_other_unit


def exact_number(value: object) -> int | float:
    """Return a number that both engines store exactly, as an int if it is whole.

    ValueError: it is not a JSON number, or has more than 15 significant digits.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("This is not a JSON number.")
    if abs(value) >= 1e15 or len(Decimal(repr(value)).normalize().as_tuple().digits) > 15:
        raise ValueError("The number has more than 15 significant digits, or is 10^15 or more.")
    return int(value) if value == int(value) else value


Number = Annotated[int | float, BeforeValidator(exact_number)]
Amount = Annotated[float, PydanticField(ge=-1e15, le=1e15, allow_inf_nan=False)]
DIMENSION = r"^[a-z][a-z0-9_]*$"
BreakdownKey = Annotated[str, StringConstraints(pattern=DIMENSION, max_length=60)]


class Relation(Value):
    """A relation of this figure to another one."""

    kind: Annotated[str, FIGURE_RELATION] = Field(
        description="How this figure relates to the other one. `/v1/codelists/figure_relation` explains the codes."
    )
    figure: FigureId = Field(description="Id of the other figure.")


class FigureFields(RecordFields):
    """A number that a source states, and the properties that decide which numbers it can be compared with."""

    indicator: IndicatorId = Field(description="Id of the indicator: what the number measures.")
    kind: Annotated[str, FIGURE_KIND] = Field(
        description="What the number is used for. `/v1/codelists/figure_kind` explains the codes."
    )
    value: Number | None = Field(
        default=None, description="The number, not scaled: 2 million is 2000000. Null: the source states it in words."
    )
    value_high: Number | None = Field(
        default=None, description="Upper end, if the source states a range; `value` is its lower end."
    )
    text: LanguageMap | None = Field(
        default=None, description="The figure in words, where the source states no number, by language."
    )
    unit: Annotated[str, UNIT] = Field(description="Unit of the number. It must be the unit of the indicator.")
    unit_text: LanguageMap | None = Field(default=None, description=UNIT_TEXT)
    qualifier: Annotated[str, QUALIFIER] = Field(
        default="exact",
        description="How exactly the source states the number. `/v1/codelists/qualifier` explains the codes.",
    )
    measured: Annotated[str, MEASURED] | None = Field(
        default=None,
        description="How the number relates to the period: over it, cumulative to its end, or the level at its end.",
    )
    period: Edtf | None = Field(default=None, description="Time that the number is about.")
    places: list[PlaceId] = Field(
        default=[], max_length=200, description="Ids of the places that the number is about, together."
    )
    breakdown: dict[BreakdownKey, Line] = Field(
        default={},
        max_length=20,
        description="Part of a total that the number covers: dimensions with their values, such as `sex: female`.",
    )
    relations: list[Relation] = Field(default=[], max_length=200, description="Relations to other figures.")
    project: ProjectId | None = Field(default=None, description="Id of the project that the number is about.")
    agreement: AgreementId | None = Field(default=None, description="Id of the agreement that the number is about.")
    partner: PartnerId | None = Field(default=None, description="Id of the partner that the number is about.")
    done_by: list[PartnerId] = Field(
        default=[],
        max_length=50,
        description="Ids of the partners whose work the number counts, such as those that trained the experts. "
        "`partner` is whom it is about.",
    )
    milestone: MilestoneId | None = Field(
        default=None, description="Id of the event that the number is about, such as one edition of a meeting."
    )
    document: DocumentId | None = Field(
        default=None, description="Id of the instrument or publication that the number is about."
    )
    said_by: Voice | None = Field(default=None, description="Who stated the number. Null: the document itself.")
    relayed_for: Voice | None = Field(
        default=None, description="Source of the number, if the speaker quoted the number of another party."
    )
    as_written: Line | None = Field(default=None, description="The number as the source writes it.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the rows of its link tables: places, breakdown, partners that did the work, and relations."""
        yield from ((PLACES_OF, {"place_id": place, **self._repeated()}) for place in self.places)
        yield from ((BREAKDOWNS, {"dimension": key, "value": value}) for key, value in self.breakdown.items())
        yield from ((DONE_BY, {"partner_id": partner}) for partner in self.done_by)
        yield from ((RELATIONS, {"kind": relation.kind, "figure_id": relation.figure}) for relation in self.relations)

    def _repeated(self) -> dict[str, Any]:
        """Return what the link to each place repeats, so that the figures of a place are summed from its links."""
        return {
            "is_public": self.state == "published",
            "kind": self.kind,
            "indicator": self.indicator,
            "unit": self.unit,
            "project": self.project,
            "value": self.value,
            "qualifier": self.qualifier,
            "is_plain": self.value is not None and self.value_high is None and not self.relations,
        }

    @model_validator(mode="after")
    def _names_its_unit(self) -> "FigureFields":
        check_unit_text(self.unit, self.unit_text)
        return self

    @model_validator(mode="after")
    def _has_number_or_text(self) -> "FigureFields":
        if self.value is None and self.text is None:
            raise ValueError("A figure needs a value, or a text where the source states no number.")
        if self.value_high is not None and (self.value is None or self.value_high < self.value):
            raise ValueError("The upper end of the range, value_high, must not be less than the lower end, value.")
        return self


class FigureShown(FigureFields, Record):
    """A figure as the registry returns it."""

    resource: Literal["figures"]


class Figure(RecordRow, table=True):
    """Columns of figures that lists filter and sort by."""

    __tablename__ = "figures"
    __table_args__ = (
        in_codes("kind", FIGURE_KIND),
        in_codes("qualifier", QUALIFIER),
        in_codes("measured", MEASURED),
        *list_indexes(
            codes=("kind", "indicator"), sorts=("value", "period_earliest"), alone=("unit", "project", "agreement")
        ),
    )

    indicator: str = Field(sa_type=BYTEWISE, foreign_key="indicators.id")
    kind: str = Field(sa_type=BYTEWISE)
    value: float | None = Field(sa_type=Double)
    unit: str = Field(sa_type=BYTEWISE)
    unit_text_key: str | None = Field(sa_type=Text)
    qualifier: str = Field(sa_type=BYTEWISE, index=True)
    measured: str | None = Field(sa_type=BYTEWISE, index=True)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    project: str | None = Field(sa_type=BYTEWISE, foreign_key="projects.id")
    agreement: str | None = Field(sa_type=BYTEWISE, foreign_key="agreements.id")
    partner: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    milestone: str | None = Field(sa_type=BYTEWISE, foreign_key="milestones.id", index=True)
    document: str | None = Field(sa_type=BYTEWISE, foreign_key="documents.id", index=True)
    said_by_id: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)
    relayed_for_id: str | None = Field(sa_type=BYTEWISE, foreign_key="partners.id", index=True)


PLACES_OF = link_table(
    "figures",
    "places",
    refers_to("place_id", "places"),
    # A copy of what aggregates need of the figure (see `FigureFields._repeated`).
    Column("is_public", Boolean, index=False),
    *(Column(name, BYTEWISE, index=False) for name in ("kind", "indicator", "unit", "project")),
    Column("value", Double, index=False),
    Column("qualifier", BYTEWISE, index=False),
    Column("is_plain", Boolean, index=False),  # one number and no relation to another figure
)
_SUMMED = ("place_id", "is_public", "kind", "indicator", "unit", "project", "value", "qualifier", "is_plain")
Index("ix_figures_places_sums", *(PLACES_OF.c[name] for name in (*_SUMMED, "record_id")))
BREAKDOWNS = link_table(
    "figures",
    "breakdown",
    Column("dimension", BYTEWISE, nullable=False),
    Column("value", BYTEWISE, nullable=False),
)
DONE_BY = link_table("figures", "done_by", refers_to("partner_id", "partners"))
RELATIONS = link_table(
    "figures", "relations", Column("kind", BYTEWISE, nullable=False), refers_to("figure_id", "figures")
)


def unit_of_its_indicator(proposal: Proposal) -> Iterator[ErrorItem]:
    """Refuse a unit that differs from the indicator's."""
    fields = proposal.fields
    lookups = proposal.lookups
    unit = lookups.columns(proposal.session, INDICATORS, fields.indicator or "", "unit", "unit_text_key")
    if unit is not None and unit != (fields.unit, noun_key(fields.unit_text)):
        yield ErrorItem(pointer="/unit", code="other_unit", detail="The indicator has another unit.")


def unit_of_its_total(proposal: Proposal) -> Iterator[ErrorItem]:
    """Refuse a total that has another unit than this part. A unit that is invalid itself is not compared."""
    totals = list(_totals(proposal.fields)) if proposal.fields.unit else []
    has_other = has_other_unit(_FIGURES, proposal.fields)
    query = select(_FIGURES.id).where(_FIGURES.id.in_([total for _, total in totals]), has_other)
    others = set(proposal.session.execute(query).scalars()) if totals else set()
    for number, total in totals:
        if total in others:
            pointer = f"/relations/{number}/figure"
            yield ErrorItem(pointer=pointer, code="other_unit", detail="A part must have the unit of its total.")


def unit_of_its_parts(proposal: Proposal) -> Iterator[ErrorItem]:
    """Refuse a unit that differs from the unit of the parts of this total."""
    if proposal.is_new:
        return
    parts = select(RELATIONS.c.record_id).where(RELATIONS.c.figure_id == proposal.record_id, _IS_PART)
    if proposal.exists(select(_FIGURES.id).where(has_other_unit(_FIGURES, proposal.fields), _FIGURES.id.in_(parts))):
        yield ErrorItem(pointer="/unit", code="other_unit", detail="Parts of this figure have another unit.")


def not_part_of_itself(proposal: Proposal) -> Iterator[ErrorItem]:
    """Refuse a figure that is a part of itself, directly or through other figures."""
    totals = list(_totals(proposal.fields))
    details = proposal.cycles([total for _, total in totals], _PART_ID, RELATIONS.c.figure_id, _IS_PART)
    for number, total in totals:
        if total in details:
            yield ErrorItem(pointer=f"/relations/{number}/figure", code="cycle", detail=details[total])


_FIGURES: Any = Figure
_PART_ID = RELATIONS.c.record_id
_IS_PART = RELATIONS.c.kind == "part_of"


def _totals(fields: Any) -> Iterator[tuple[int, str]]:
    """Return the totals of which this figure is a part: the position of the relation, and the id of the total."""
    return ((number, other.figure) for number, other in enumerate(fields.relations) if other.kind == "part_of")


FIGURES = Resource(
    name="figures",
    one="figure",
    about="Numbers that sources state, each with its kind, unit, period, place, speaker and cited words.",
    fields=FigureFields,
    shown=FigureShown,
    table=Figure,
    citations=citation_table("figures"),
    number=9,
    heading=("as_written", "text"),
    named_by=("indicators",),
    example="smart-factory-enterprises-2022",
    rules=(unit_of_its_indicator, unit_of_its_total, unit_of_its_parts, not_part_of_itself),
    filters={
        "kind": EqualFilter(Figure.kind, Annotated[str, FIGURE_KIND], "Figures of these kinds."),
        "unit": EqualFilter(Figure.unit, Annotated[str, UNIT], "Figures in these units."),
        "qualifier": EqualFilter(Figure.qualifier, Annotated[str, QUALIFIER], "Figures with these qualifiers."),
        "measured": EqualFilter(
            Figure.measured, Annotated[str, MEASURED], "Figures that relate to their period in these ways."
        ),
        "dimension": EqualFilter(
            BREAKDOWNS.c.dimension, BreakdownKey, "Figures that are broken down by these dimensions."
        ),
        "dimension_value": EqualFilter(
            BREAKDOWNS.c.value,
            Line,
            "Figures with these values of a dimension. With `dimension`, it is a value of that dimension.",
        ),
        "relation": EqualFilter(
            RELATIONS.c.kind,
            Annotated[str, FIGURE_RELATION],
            "Figures with a relation of these kinds. With `related_to`, it is the relation to that figure.",
        ),
        "value": RangeFilter(Figure.value, Amount, "Value of the figure."),
        "period": DuringFilter(Figure.period_earliest, Figure.period_latest, "Time that the figure is about."),
    },
    sorts={"value": Figure.value, "period": Figure.period_earliest, "indicator": Figure.indicator},
    links={
        "indicator": Link("indicators", (Figure.indicator,), "Figures of this indicator.", "indicators", "figures"),
        "project": Link("projects", (Figure.project,), "Figures about this project.", "projects", "figures"),
        "agreement": Link("agreements", (Figure.agreement,), "Figures about this agreement.", "agreements", "figures"),
        "partner": Link(
            "partners",
            (Figure.partner, Figure.said_by_id, Figure.relayed_for_id, DONE_BY.c.partner_id),
            "Figures about this partner or its work, stated by it, or quoted from it.",
            "partners",
            "figures",
        ),
        "done_by": Link("partners", (DONE_BY.c.partner_id,), "Figures about the work of this partner."),
        "about": Link("partners", (Figure.partner,), "Figures about this partner."),
        "milestone": Link("milestones", (Figure.milestone,), "Figures about this milestone.", "milestones", "figures"),
        "about_document": Link(
            "documents", (Figure.document,), "Figures about this document.", "about_documents", opposite="measured_by"
        ),
        "speaker": Link("partners", (Figure.said_by_id,), "Figures that this partner stated."),
        "place": Link("places", (PLACES_OF.c.place_id,), "Figures about this place.", "places", "figures", tree=True),
        "related_to": Link(
            "figures",
            (RELATIONS.c.figure_id,),
            "Figures that have a relation to this figure.",
            "related",
            "relating",
            opposite="relating",
        ),
    },
)
