"""Figures: one number someone stated, with its kind, period, place and speaker."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StringConstraints, model_validator
from pydantic import Field as PydanticField
from sqlalchemy import Column, Double, Table, literal, select
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.errors import ERROR_DETAILS, ErrorItem
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import DuringFilter, EqualFilter, RangeFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, link_table, list_indexes, refers_to
from app.core.values.codelists import Code, CodeList
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
from app.figures.indicators import INDICATORS, UNIT

FIGURE_KIND = CodeList(
    "figure_kind",
    "What a number is; kinds are never mixed.",
    {
        "target": Code("Target", "Mục tiêu"),
        "plan": Code("Plan", "Kế hoạch"),
        "actual": Code("Actual", "Thực hiện"),
        "baseline": Code("Baseline", "Mức ban đầu"),
        "context": Code("Context", "Bối cảnh"),
        "rank": Code("Rank or edition", "Thứ hạng, lần thứ"),
        "duration": Code("Duration", "Thời lượng"),
    },
)
QUALIFIER = CodeList(
    "qualifier",
    "How exactly the source puts the number.",
    {
        "exact": Code("exactly", "đúng"),
        "about": Code("about", "khoảng"),
        "nearly": Code("nearly", "gần"),
        "more_than": Code("more than", "hơn"),
        "less_than": Code("less than", "dưới"),
        "at_least": Code("at least", "ít nhất"),
        "at_most": Code("at most", "tối đa"),
        "as_many_as": Code("as many as", "tới"),
        "one_of": Code("one of", "một trong"),
    },
)
MEASURED = CodeList(
    "measured",
    "How a figure relates to its period.",
    {
        "over_period": Code("Over the period", "Trong kỳ"),
        "cumulative": Code("Cumulative up to the end of the period", "Lũy kế đến cuối kỳ"),
        "at_date": Code("At the date", "Tại thời điểm"),
    },
)
FIGURE_RELATION = CodeList(
    "figure_relation",
    "How a figure relates to another.",
    {
        "part_of": Code("is a part of the total", "là một phần của tổng"),
        "share_of": Code("is a share of", "là tỷ lệ so với"),
        "change_of": Code("is the change of", "là mức thay đổi của"),
        "compared_with": Code("is compared with", "được so sánh với"),
        "same_as": Code("states the same as", "nêu cùng một sự việc với"),
    },
)


def json_number(value: object) -> int | float:
    """A JSON number of at most 15 significant digits, which both engines keep exactly; 26.0 is 26."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("is not a JSON number")
    if abs(value) >= 1e15 or len(Decimal(repr(value)).normalize().as_tuple().digits) > 15:
        raise ValueError("has more than 15 significant digits, or is 10^15 or more")
    return int(value) if value == int(value) else value


Number = Annotated[int | float, BeforeValidator(json_number)]
Amount = Annotated[float, PydanticField(ge=-1e15, le=1e15, allow_inf_nan=False)]
DIMENSION = r"^[a-z][a-z0-9_]*$"
BreakdownKey = Annotated[str, StringConstraints(pattern=DIMENSION, max_length=60)]


class Relation(Value):
    """How this figure relates to another one."""

    kind: Annotated[str, FIGURE_RELATION]
    figure: FigureId


class FigureFields(RecordFields):
    """One number that someone stated, unscaled, with all that makes it comparable or not."""

    indicator: IndicatorId
    kind: Annotated[str, FIGURE_KIND]
    value: Number | None = Field(default=None, description="Unscaled; null when the source gives words only.")
    value_high: Number | None = Field(default=None, description="Upper end, where the source gives a range.")
    text: LanguageMap | None = Field(default=None, description="The figure in words, where it is no number.")
    unit: Annotated[str, UNIT]
    qualifier: Annotated[str, QUALIFIER] = "exact"
    measured: Annotated[str, MEASURED] | None = Field(default=None, description="How it relates to its period.")
    period: Edtf | None = Field(default=None, description="The time it is about.")
    places: list[PlaceId] = Field(default=[], max_length=200)
    breakdown: dict[BreakdownKey, Line] = Field(default={}, max_length=20, description="{dimension: value}.")
    relations: list[Relation] = Field(default=[], max_length=200)
    project: ProjectId | None = None
    agreement: AgreementId | None = None
    partner: PartnerId | None = Field(default=None, description="The partner it is about.")
    milestone: MilestoneId | None = Field(
        default=None, description="The event it is about, such as the edition of a meeting."
    )
    document: DocumentId | None = Field(default=None, description="The instrument or publication it is about.")
    said_by: Voice | None = Field(default=None, description="Who stated it; null: the document itself.")
    relayed_for: Voice | None = Field(default=None, description="Whose number the speaker relayed, if another's.")
    as_written: Line | None = Field(default=None, description="The number as the source writes it.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Places, breakdown, and how it relates to other figures."""
        yield from ((PLACES_OF, {"place_id": place}) for place in self.places)
        yield from ((BREAKDOWNS, {"dimension": key, "value": value}) for key, value in self.breakdown.items())
        yield from ((RELATIONS, {"kind": each.kind, "figure_id": each.figure}) for each in self.relations)

    @model_validator(mode="after")
    def _has_something(self) -> "FigureFields":
        if self.value is None and self.text is None:
            raise ValueError("a figure has a value, or a text where the source gives none")
        if self.value_high is not None and (self.value is None or self.value_high < self.value):
            raise ValueError("value_high is the upper end of a range that starts at value")
        return self


class FigureShown(FigureFields, Record):
    """A figure as the registry shows it."""

    resource: Literal["figures"]


class Figure(RecordRow, table=True):
    """Columns of figures that lists filter and sort by."""

    __tablename__ = "figures"
    __table_args__ = (
        in_codes("kind", FIGURE_KIND),
        in_codes("unit", UNIT),
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


PLACES_OF = link_table("figures", "places", refers_to("place_id", "places"))
BREAKDOWNS = link_table(
    "figures",
    "breakdown",
    Column("dimension", BYTEWISE, nullable=False),
    Column("value", BYTEWISE, nullable=False),
)
RELATIONS = link_table(
    "figures", "relations", Column("kind", BYTEWISE, nullable=False), refers_to("figure_id", "figures")
)


def unit_of_its_indicator(proposal: Proposal) -> Iterator[ErrorItem]:
    """A figure has its indicator's unit."""
    fields = proposal.fields
    if proposal.exists(
        select(_INDICATORS.id).where(_INDICATORS.id == fields.indicator, _INDICATORS.unit != fields.unit)
    ):
        yield ErrorItem(pointer="/unit", code="other_unit", detail="Its indicator has another unit.")


def unit_of_its_total(proposal: Proposal) -> Iterator[ErrorItem]:
    """A part has the unit of its total."""
    unit = literal(proposal.fields.unit)  # a part that was sent without its unit agrees with any
    for number, total in _totals(proposal.fields):
        if proposal.exists(select(_FIGURES.id).where(_FIGURES.id == total, _FIGURES.unit != unit)):
            pointer = f"/relations/{number}/figure"
            yield ErrorItem(pointer=pointer, code="other_unit", detail="A part has the unit of its total.")


def unit_of_its_parts(proposal: Proposal) -> Iterator[ErrorItem]:
    """A total has the unit of its parts."""
    if proposal.is_new:
        return
    parts = select(RELATIONS.c.record_id).where(RELATIONS.c.figure_id == proposal.record_id, _IS_PART)
    if proposal.exists(select(_FIGURES.id).where(_FIGURES.unit != proposal.fields.unit, _FIGURES.id.in_(parts))):
        yield ErrorItem(pointer="/unit", code="other_unit", detail="Parts of this figure have another unit.")


def not_part_of_itself(proposal: Proposal) -> Iterator[ErrorItem]:
    """No figure is a part of itself, however long the way."""
    for number, total in _totals(proposal.fields):
        if proposal.forms_cycle(total, _PART_ID, RELATIONS.c.figure_id, _IS_PART):
            yield ErrorItem(pointer=f"/relations/{number}/figure", code="cycle", detail=ERROR_DETAILS["cycle"])


_FIGURES: Any = Figure
_INDICATORS = INDICATORS.table
_PART_ID, _IS_PART = RELATIONS.c.record_id, RELATIONS.c.kind == "part_of"


def _totals(fields: Any) -> Iterator[tuple[int, str]]:
    return ((number, each.figure) for number, each in enumerate(fields.relations) if each.kind == "part_of")


FIGURES = Resource(
    name="figures",
    one="figure",
    about="Numbers that someone stated, each with its kind, unit, period, place, speaker and the words it comes from.",
    fields=FigureFields,
    shown=FigureShown,
    table=Figure,
    citations=citation_table("figures"),
    number=9,
    heading=("as_written", "text"),
    example="smart-factory-enterprises-2022",
    rules=(unit_of_its_indicator, unit_of_its_total, unit_of_its_parts, not_part_of_itself),
    filters={
        "kind": EqualFilter(Figure.kind, Annotated[str, FIGURE_KIND], "Of any of these kinds."),
        "unit": EqualFilter(Figure.unit, Annotated[str, UNIT], "In any of these units."),
        "qualifier": EqualFilter(Figure.qualifier, Annotated[str, QUALIFIER], "Put in any of these ways."),
        "measured": EqualFilter(Figure.measured, Annotated[str, MEASURED], "Measured in any of these ways."),
        "dimension": EqualFilter(BREAKDOWNS.c.dimension, BreakdownKey, "Broken down by this dimension."),
        "dimension_value": EqualFilter(BREAKDOWNS.c.value, Line, "With this value of the dimension."),
        "relation": EqualFilter(
            RELATIONS.c.kind, Annotated[str, FIGURE_RELATION], "Related in this way (to `related_to`)."
        ),
        "value": RangeFilter(Figure.value, Amount, "The number."),
        "period": DuringFilter(Figure.period_earliest, Figure.period_latest, "The time it is about."),
    },
    sorts={"value": Figure.value, "period": Figure.period_earliest, "indicator": Figure.indicator},
    links={
        "indicator": Link("indicators", (Figure.indicator,), "Measuring this indicator.", "indicators", "figures"),
        "project": Link("projects", (Figure.project,), "Of this project.", "projects", "figures"),
        "agreement": Link("agreements", (Figure.agreement,), "Of this agreement.", "agreements", "figures"),
        "partner": Link(
            "partners",
            (Figure.partner, Figure.said_by_id, Figure.relayed_for_id),
            "About, stated by, or relayed for this partner.",
            "partners",
            "figures",
        ),
        "about": Link("partners", (Figure.partner,), "About this partner."),
        "milestone": Link("milestones", (Figure.milestone,), "About this milestone.", "milestones", "figures"),
        "about_document": Link(
            "documents", (Figure.document,), "About this document.", "about_documents", opposite="measured_by"
        ),
        "speaker": Link("partners", (Figure.said_by_id,), "Stated by this partner."),
        "place": Link("places", (PLACES_OF.c.place_id,), "About this place.", "places", "figures", tree=True),
        "related_to": Link(
            "figures", (RELATIONS.c.figure_id,), "Related to this figure.", "related", "relating", opposite="relating"
        ),
    },
)
