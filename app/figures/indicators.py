"""Indicators: what figures measure."""

from collections.abc import Iterator
from typing import Annotated, Literal

from sqlalchemy import Text, select
from sqlmodel import Field

from app.core.database.tables import BYTEWISE, in_codes
from app.core.errors import ErrorItem
from app.core.model.fields import Record, RecordFields
from app.core.model.filters import EqualFilter, TextFilter
from app.core.model.resource import RESOURCES, Resource
from app.core.model.tables import RecordRow, citation_table, list_indexes
from app.core.values.codelists import Code, CodeList
from app.core.values.text import LanguageMap
from app.core.writing.integrity import Proposal

UNIT = CodeList(
    "unit",
    "What a figure counts or measures: an ISO 4217 currency, a share, a length of time, or the things counted.",
    {
        "USD": Code("US dollar", "đô la Mỹ"),
        "VND": Code("Vietnamese dong", "đồng Việt Nam"),
        "EUR": Code("euro", "euro"),
        "CHF": Code("Swiss franc", "franc Thụy Sỹ"),
        "percent": Code("per cent", "phần trăm"),
        "percentage_point": Code("percentage point", "điểm phần trăm"),
        "year": Code("years", "năm"),
        "month": Code("months", "tháng"),
        "ordinal": Code("position in a sequence", "thứ tự"),
        "enterprise": Code("enterprises", "doanh nghiệp"),
        "person": Code("persons", "người"),
        "industrial_park": Code("industrial parks", "khu công nghiệp"),
        "document": Code("documents", "văn bản"),
        "agreement": Code("agreements", "hiệp định"),
        "initiative": Code("initiatives", "sáng kiến"),
        "country": Code("countries", "quốc gia"),
        "organisation": Code("organisations", "tổ chức"),
        "party": Code("parties", "bên"),
        "project": Code("projects", "dự án"),
        "tonne_co2e": Code("tonnes of CO2 equivalent", "tấn CO2 tương đương"),
    },
    source="ISO 4217 for currencies; otherwise Hoptac",
)

DIRECTION = CodeList(
    "direction",
    "Whether more of it is better.",
    {"up": Code("More is better", "Tăng là tốt"), "down": Code("Less is better", "Giảm là tốt"),
     "none": Code("Neither", "Không xét")},
)  # fmt: skip


class IndicatorFields(RecordFields):
    """What a figure measures. An indicator is a definition of this registry: its evidence is its figures'."""

    name: LanguageMap
    unit: Annotated[str, UNIT]
    direction: Annotated[str, DIRECTION] = "none"
    definition: LanguageMap | None = None


class IndicatorShown(IndicatorFields, Record):
    """An indicator as the registry shows it."""

    resource: Literal["indicators"]


class Indicator(RecordRow, table=True):
    """Columns of indicators that lists filter and sort by."""

    __tablename__ = "indicators"
    __table_args__ = (
        in_codes("unit", UNIT),
        in_codes("direction", DIRECTION),
        *list_indexes(codes=("unit",), sorts=("name_sort",)),
    )

    unit: str = Field(sa_type=BYTEWISE)
    direction: str = Field(sa_type=BYTEWISE)
    name_sort: str = Field(sa_type=BYTEWISE)
    name_text: str = Field(sa_type=Text)


def unit_of_its_figures(proposal: Proposal) -> Iterator[ErrorItem]:
    """An indicator has the unit of the figures that measure it."""
    if proposal.is_new:
        return
    figures = RESOURCES["figures"].table
    measuring = select(figures.id).where(figures.indicator == proposal.record_id, figures.unit != proposal.fields.unit)
    if proposal.exists(measuring):
        yield ErrorItem(pointer="/unit", code="other_unit", detail="Figures of this indicator have another unit.")


INDICATORS = Resource(
    name="indicators",
    one="indicator",
    about="What figures measure: a name, a unit, a definition.",
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
        "unit": EqualFilter(Indicator.unit, Annotated[str, UNIT], "In any of these units."),
        "name": TextFilter(Indicator.name_text),
    },
    sorts={"name": Indicator.name_sort},
)
