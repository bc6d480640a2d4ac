"""Places: countries, provinces, and regions as sources write them, each with the name of its day."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import StringConstraints
from sqlalchemy import Index, Table, Text, select, text
from sqlmodel import Field, SQLModel

from app.core.database.tables import BYTEWISE, in_codes
from app.core.errors import ErrorItem
from app.core.model.columns import first_day
from app.core.model.fields import HasIdentifiers, Record, RecordFields
from app.core.model.filters import EqualFilter, TextFilter
from app.core.model.resource import Link, Resource
from app.core.model.tables import RecordRow, citation_table, identifier_table, link_table, list_indexes, refers_to
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import Edtf
from app.core.values.evidence import Value
from app.core.values.links import PlaceId
from app.core.values.text import LanguageMap, Line
from app.core.writing.integrity import Proposal

PLACE_LEVEL = CodeList(
    "place_level",
    "The level of a place. Regions are as written by a source: they have no members.",
    {
        "world": Code("World", "Thế giới"),
        "world_region": Code("Region of the world", "Khu vực trên thế giới"),
        "country": Code("Country", "Quốc gia"),
        "region": Code("Region within a country, as written", "Vùng, miền như văn bản viết"),
        "province": Code("Province or centrally run city", "Tỉnh, thành phố trực thuộc trung ương"),
        "locality": Code("District, commune or city below a province", "Địa phương dưới cấp tỉnh"),
    },
)


class Point(Value):
    """A point on WGS 84, in degrees."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class PlaceFields(HasIdentifiers, RecordFields):
    """A country, a province or a region as a source writes it."""

    name: LanguageMap
    level: Annotated[str, PLACE_LEVEL]
    parent: PlaceId | None = Field(default=None, description="The place it is part of.")
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = Field(
        default=None, description="ISO 3166-1 alpha-2 of a country, ISO 3166-2 of a province."
    )
    point: Point | None = None
    period: Edtf | None = Field(default=None, description="When it existed as such; null: no limits recorded.")
    succeeded_by: list[PlaceId] = Field(default=[], max_length=50, description="Places that it became (part of).")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Its successors."""
        yield from ((SUCCESSORS, {"successor_id": successor}) for successor in self.succeeded_by)


class PlaceShown(PlaceFields, Record):
    """A place as the registry shows it."""

    resource: Literal["places"]


class Place(RecordRow, table=True):
    """Columns of places that lists filter and sort by."""

    __tablename__ = "places"
    __table_args__ = (
        in_codes("level", PLACE_LEVEL),
        Index("uq_places_code_period", "code", "period_earliest", unique=True),
        # To a unique index two absent periods differ; two places of one code and no limits do not.
        Index(
            "uq_places_code",
            "code",
            unique=True,
            # The migration says so for PostgreSQL too; to say it here would load that dialect at every start.
            sqlite_where=text("period_earliest IS NULL"),
        ),
        *list_indexes(codes=("level",), sorts=("name_sort",)),
    )

    level: str = Field(sa_type=BYTEWISE)
    parent: str | None = Field(sa_type=BYTEWISE, foreign_key="places.id", index=True)
    code: str | None = Field(sa_type=BYTEWISE)
    period_earliest: str | None = Field(sa_type=BYTEWISE)
    period_latest: str | None = Field(sa_type=BYTEWISE)
    name_sort: str = Field(sa_type=BYTEWISE)
    name_text: str = Field(sa_type=Text)


SUCCESSORS = link_table("places", "successors", refers_to("successor_id", "places"))


def code_of_its_time(proposal: Proposal) -> Iterator[ErrorItem]:
    """A code stands for one place at a time."""
    code, first = proposal.fields.code, first_day(proposal.fields.period)
    if code is None:
        return
    places = SQLModel.metadata.tables["places"].c
    begins = places.period_earliest
    same = begins.is_(None) if first is None else begins == first
    holders = select(places.id, places.state, places.managed_by).where(places.code == code, same)
    yield from proposal.code_in_use(holders, "/code")


PLACES = Resource(
    name="places",
    one="place",
    about="Countries, provinces and regions as written, each with the name of its day and what succeeded it.",
    fields=PlaceFields,
    shown=PlaceShown,
    table=Place,
    citations=citation_table("places"),
    identifiers=identifier_table("places", unique=False),
    unique=("code",),
    rules=(code_of_its_time,),
    number=5,
    names=("name",),
    example="da-nang",
    trees=("parent", "succeeded_by"),
    filters={
        "level": EqualFilter(Place.level, Annotated[str, PLACE_LEVEL], "Of any of these levels."),
        "code": EqualFilter(Place.code, Line, "With this ISO 3166-1 or 3166-2 code."),
        "name": TextFilter(Place.name_text),
    },
    sorts={"name": Place.name_sort, "code": Place.code},
    links={
        "parent": Link(
            "places", (Place.parent,), "Directly part of this place.", "parent", "parts", opposite="parent_of"
        ),
        "succeeded_by": Link(
            "places",
            (SUCCESSORS.c.successor_id,),
            "Became (part of) this place.",
            "successors",
            opposite="successor_of",
        ),
    },
)
