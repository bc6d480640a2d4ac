"""The query and the response of the timeline."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.analysis.timeline.sources import WHAT
from app.core.model.filters import EdtfText
from app.core.model.labels import Labels, Language
from app.core.model.resource import Id
from app.core.reading.cursors import MAX_CURSOR
from app.core.reading.parameters import DEFAULT_LIMIT, LABELS_TEXT, LANG_TEXT, MAX_ITEMS, Digits
from app.core.values.dates import Edtf
from app.core.values.text import LanguageMap

Precision = Literal["year", "quarter", "month", "day", "minute", "interval"]
Sort = Annotated[str, StringConstraints(pattern="^-?date$")]


def _many(description: str) -> Any:
    return Field(default=None, max_length=MAX_ITEMS, description=description)


class TimelineQuery(BaseModel, defer_build=True):
    """Filters and direction of a timeline."""

    model_config = ConfigDict(extra="forbid")

    partner: list[Id] | None = _many(
        "Only entries in which one of these partners takes part, is a party, has a role, speaks or is addressed."
    )
    project: list[Id] | None = _many("Only entries of these projects.")
    parts: bool = Field(default=False, description="Whether to include entries of all sub-projects of the projects.")
    agreement: list[Id] | None = _many("Only entries of these agreements, or of the projects that they are about.")
    place: list[Id] | None = _many("Only entries in these places or their parts. Statements have no place.")
    what: list[Annotated[str, WHAT]] | None = _many("Only entries of these types.")
    period: EdtfText | None = Field(
        default=None, description="Only entries that can be within this EDTF date or interval."
    )
    sort: Sort = Field(default="date", description="`date` for ascending order, `-date` for descending order.")
    limit: Digits = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_ITEMS, description="Maximum number of entries.")
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="Start of the page, from `next` of the previous page."
    )
    labels: Language | None = Field(default=None, description=LABELS_TEXT)
    lang: Language | None = Field(default=None, description=LANG_TEXT)


class EntryShown(BaseModel, defer_build=True):
    """One dated event of a milestone, agreement, project or statement."""

    what: Annotated[str, WHAT] = Field(
        description="What happens at this date. `/v1/codelists/timeline_what` explains the codes."
    )
    at: date = Field(
        description="Day by which entries are sorted: the first day that the date can mean, or the last one for an end "
        "or a due date. If that day is unknown, it is the other end of the date."
    )
    date: Edtf = Field(description="Date, as precisely as the source states it.")
    precision: Precision = Field(description="Precision of the date. `interval`: between two dates, or open.")
    resource: Literal["milestones", "agreements", "projects", "statements"] = Field(
        description="Resource of the record with this date."
    )
    id: str = Field(description="Id of the record with this date.")
    field: Literal["date", "signed_on", "period", "due"] = Field(description="Field of the record with this date.")
    kind: str = Field(description="Kind of the record.")
    kind_list: str = Field(description="Name of the code list of `kind`.", examples=["milestone_kind"])
    title: LanguageMap = Field(description="Title of the record, or summary of a statement, by language.")
    status: str | None = Field(description="Status of the record. Null: statements have none.")
    status_list: str | None = Field(description="Name of the code list of `status`.", examples=["project_status"])
    projects: list[str] = Field(description="Ids of the projects that it belongs to.")
    agreement: str | None = Field(description="Id of its agreement. For an agreement, its own id.")
    places: list[str] = Field(description="Ids of the places where it takes place.")
    partners: list[str] = Field(
        description="Ids of the partners that take part, are parties, have a role, speak or are addressed."
    )
    inferred: list[str] = Field(
        description="`inferred` of the record: JSON Pointers of the parts that only the context of a document "
        "supports. The date of the entry is inferred if the list has its field, such as `/signed_on`."
    )
    labels: Labels = Field(default={})


class TimelinePage(BaseModel, defer_build=True):
    """A page of entries."""

    items: list[EntryShown] = Field(
        description="Entries in the order of their days. There can be fewer than `limit` although there is a next page."
    )
    next: str | None = Field(description="Path of the next page; null on the last page.")
