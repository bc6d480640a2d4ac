"""Places: countries, provinces, regions as sources write them, and their predecessors with the names of their time."""

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
from app.core.values.codelists import Code, CodeList, codes_of
from app.core.values.dates import Edtf
from app.core.values.evidence import Value
from app.core.values.links import PlaceId
from app.core.values.text import LanguageMap, Line
from app.core.writing.integrity import Proposal

PLACE_LEVEL = CodeList(
    "place_level",
    "The level of a place. "
    "`world` is the whole world. A `world_region` consists of several countries, such as ASEAN or Europe. "
    "A `country` is a country or territory with a code of ISO 3166-1. "
    "A `region` is a part of a country as a source writes it, such as «phía Bắc» (the North). It has no fixed border, "
    "so the registry records no provinces as its parts. "
    "A `province` is a first-level unit of a country, in Viet Nam also a city run by the central government. "
    "A `locality` is a district, commune or city below a province.",
    {
        "world": Code("World", "Thế giới"),
        "world_region": Code("Region of the world", "Khu vực trên thế giới"),
        "country": Code("Country", "Quốc gia"),
        "region": Code("Region within a country, as written", "Vùng, miền như văn bản viết"),
        "province": Code("Province or centrally run city", "Tỉnh, thành phố trực thuộc trung ương"),
        "locality": Code("Locality below a province", "Địa phương dưới cấp tỉnh"),
    },
)

COUNTRY = CodeList(
    "country",
    "Countries and territories by their ISO 3166-1 alpha-2 codes, which are the `code` of their places.",
    codes_of("country", iati=True),
    source="ISO 3166-1, with names from Unicode CLDR",
    iati="Country",
)


POINT_PRECISION = CodeList(
    "point_precision",
    "What the point of a place is. `exact`: the place itself. The others stand for an area on a map. "
    "`centre`: the centre of its city or town. "
    "`seat`: its capital, or the town from which it is administered. "
    "`centroid`: the geometric middle of the area.",
    {
        "exact": Code("The place itself", "Đúng vị trí"),
        "centre": Code("Centre of the city or town", "Trung tâm thành phố, thị xã"),
        "seat": Code("Capital, or seat of the administration", "Thủ đô, hoặc trung tâm hành chính"),
        "centroid": Code("Middle of the area", "Tâm của địa bàn"),
    },
)


class Point(Value):
    """A point in the coordinate system WGS 84, in decimal degrees. A citation of `point` states its source."""

    latitude: float = Field(ge=-90, le=90, description="Degrees north of the equator; negative in the south.")
    longitude: float = Field(ge=-180, le=180, description="Degrees east of Greenwich; negative in the west.")
    precision: Annotated[str, POINT_PRECISION] | None = Field(
        default=None,
        description="What the point is. Null: not known. `/v1/codelists/point_precision` explains the codes.",
    )


class PlaceFields(HasIdentifiers, RecordFields):
    """A country, a province, a region as a source writes it, or another place."""

    name: LanguageMap = Field(description="Name, by language.")
    level: Annotated[str, PLACE_LEVEL] = Field(
        description="Level of the place. `/v1/codelists/place_level` explains the codes."
    )
    parent: PlaceId | None = Field(default=None, description="Id of the place that it is directly part of.")
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = Field(
        default=None, description="Code: ISO 3166-1 alpha-2 for a country, ISO 3166-2 for a province."
    )
    point: Point | None = Field(
        default=None, description="A point that stands for the place on a map. Null: none is recorded."
    )
    period: Edtf | None = Field(
        default=None, description="Time during which the place existed as described. Null: no limit is recorded."
    )
    succeeded_by: list[PlaceId] = Field(
        default=[], max_length=50, description="Ids of the places that it became, or became part of."
    )

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the rows of its link table: its successors."""
        yield from ((SUCCESSORS, {"successor_id": successor}) for successor in self.succeeded_by)


class PlaceShown(PlaceFields, Record):
    """A place as the registry returns it."""

    resource: Literal["places"]


class Place(RecordRow, table=True):
    """Columns of places that lists filter and sort by."""

    __tablename__ = "places"
    __table_args__ = (
        in_codes("level", PLACE_LEVEL),
        Index("uq_places_code_period", "code", "period_earliest", unique=True),
        # A unique index takes two NULLs for different values, so the index above accepts any number of places with
        # one code and no start. This one accepts one of them.
        Index(
            "uq_places_code",
            "code",
            unique=True,
            # The migration sets the same condition for PostgreSQL. Here it would load that dialect at every start.
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
    """Refuse the code of another place whose period starts on the same day."""
    code = proposal.fields.code
    if code is None:
        return
    first = first_day(proposal.fields.period)
    places = SQLModel.metadata.tables["places"].c
    start = places.period_earliest
    same_start = start.is_(None) if first is None else start == first
    holders = select(places.id, places.state, places.managed_by, places.code)
    yield from proposal.codes_in_use(holders.where(places.code == code, same_start).limit(2), {(code,): "/code"})


PLACES = Resource(
    name="places",
    one="place",
    about="Countries, provinces, regions as sources write them, and former places with the places that succeeded them.",
    fields=PlaceFields,
    shown=PlaceShown,
    table=Place,
    citations=citation_table("places"),
    identifiers=identifier_table("places", unique=False),
    unique=("code",),
    rules=(code_of_its_time,),
    number=5,
    names=("name",),
    is_reference_data=True,
    example="da-nang",
    trees=("parent", "succeeded_by"),
    filters={
        "level": EqualFilter(Place.level, Annotated[str, PLACE_LEVEL], "Places of these levels."),
        "code": EqualFilter(Place.code, Line, "Places with these ISO 3166-1 or ISO 3166-2 codes."),
        "name": TextFilter(Place.name_text),
    },
    sorts={"name": Place.name_sort, "code": Place.code},
    links={
        "parent": Link(
            "places",
            (Place.parent,),
            "Places that are directly part of this place.",
            "parent",
            "parts",
            opposite="parent_of",
        ),
        "succeeded_by": Link(
            "places",
            (SUCCESSORS.c.successor_id,),
            "Places that became this place, or part of it.",
            "successors",
            opposite="successor_of",
        ),
    },
)
