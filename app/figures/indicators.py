"""Indicators: what figures measure."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import model_validator
from sqlalchemy import Text, select
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.errors import ErrorItem
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import EqualFilter, TextFilter
from app.core.model.resource import RESOURCES, Resource
from app.core.model.tables import RecordRow, citation_table, list_indexes
from app.core.values.text import LanguageMap
from app.core.writing.integrity import Proposal
from app.figures.codelists import DIRECTION, UNIT
from app.figures.units import UNIT_TEXT, check_unit_text, has_other_unit


class IndicatorFields(RecordFields):
    """What figures measure, with the unit.

    An indicator is defined by this registry, so it needs no citation: the evidence is that of its figures.
    """

    name: LanguageMap = Field(description="Name of what is measured, by language.")
    unit: Annotated[str, UNIT] = Field(description="Unit of all figures of this indicator.")
    unit_text: LanguageMap | None = Field(default=None, description=UNIT_TEXT)
    direction: Annotated[str, DIRECTION] = Field(
        default="none", description="Whether more (`up`) or less (`down`) is better; `none`: neither."
    )
    definition: LanguageMap | None = Field(
        default=None, description="What exactly is counted or measured, by language."
    )

    @model_validator(mode="after")
    def _names_its_unit(self) -> "IndicatorFields":
        check_unit_text(self.unit, self.unit_text)
        return self


class IndicatorShown(IndicatorFields, Record):
    """An indicator as the registry returns it."""

    resource: Literal["indicators"]


class Indicator(RecordRow, table=True):
    """Columns of indicators that lists filter and sort by."""

    __tablename__ = "indicators"
    __table_args__ = (
        in_codes("direction", DIRECTION),
        *list_indexes(codes=("unit",), sorts=("name_sort",)),
    )

    unit: str = Field(sa_type=BYTEWISE)
    unit_text_key: str | None = Field(sa_type=Text)
    direction: str = Field(sa_type=BYTEWISE)
    name_sort: str = Field(sa_type=BYTEWISE)
    name_text: str = Field(sa_type=Text)


def unit_of_its_figures(proposal: Proposal) -> Iterator[ErrorItem]:
    """Refuse a unit that differs from the unit of its figures."""
    if proposal.is_new:
        return
    figures = RESOURCES["figures"].table
    has_other = has_other_unit(figures, proposal.fields)
    measuring = select(figures.id).where(figures.indicator == proposal.record_id, has_other)
    if proposal.exists(measuring):
        yield ErrorItem(pointer="/unit", code="other_unit", detail="Figures of this indicator have another unit.")


INDICATORS = Resource(
    name="indicators",
    one="indicator",
    about="What figures measure, with the unit, the definition, and whether more or less is better.",
    fields=IndicatorFields,
    shown=IndicatorShown,
    table=Indicator,
    citations=citation_table("indicators"),
    number=8,
    names=("name",),
    example="enterprises-supported",
    needs_evidence=False,
    rules=(unit_of_its_figures,),
    filters={
        "unit": EqualFilter(Indicator.unit, Annotated[str, UNIT], "Indicators in these units."),
        "name": TextFilter(Indicator.name_text),
    },
    sorts={"name": Indicator.name_sort},
)
