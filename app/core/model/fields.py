"""The fields that every record has: those that writers send, and those that the registry adds."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import ConfigDict, StringConstraints
from sqlalchemy import Table
from sqlmodel import Field, SQLModel

from app.core.database.tables import STATE
from app.core.model.support import inferred_parts
from app.core.values.evidence import Citation, Identifier
from app.core.values.links import PartnerId
from app.core.values.text import Slug

# Version number of the rendering. Raise it whenever representations change; `hoptac migrate` then renders them again.
RENDERING = 6

Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]


class RecordFields(SQLModel):
    """The fields of every record that writers send."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # type: ignore[assignment]

    managed_by: PartnerId | None = Field(default=None, description="Id of the partner that manages the record.")
    state: Annotated[str, STATE] = Field(default="published", description="`published` (public) or `draft`.")
    citations: list[Citation] = Field(default=[], max_length=200, description="The evidence for the record.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Yield (link table, row) for each link of this record, in order."""
        yield from ()

    def citable(self) -> dict[str, Any]:
        """Return the JSON of the fields that citations can support."""
        return self.model_dump(mode="json", by_alias=True, exclude={"managed_by", "state", "citations"})

    def inferred_parts(self) -> list[str]:
        """Return the JSON Pointers of the parts that only citations with the basis `inferred` support."""
        if not any(citation.basis == "inferred" for citation in self.citations):
            return []
        return inferred_parts(self.citations, self.citable())


class Record(SQLModel):
    """The fields of every record that the registry adds."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, defer_build=True)  # type: ignore[assignment]

    resource: Any = Field(description="Plural name of the resource, as in the URL.")
    id: Slug = Field(description="Stable, readable id. It never changes, and no other record ever gets it.")
    version: int = Field(ge=1, description="Version number: 1 at creation, increased by one with each change.")
    created_at: Instant = Field(description="Time at which the record was created (RFC 3339, UTC).")
    updated_at: Instant = Field(description="Time of the last change of the record (RFC 3339, UTC).")
    inferred: list[str] = Field(
        description="JSON Pointers (RFC 6901) of the parts of the record that only citations with the basis `inferred` "
        "support: a field (`/period`), or an item of a list of which other items are stated (`/roles/2`)."
    )


class HasIdentifiers(SQLModel):
    """Fields of resources whose records have codes in other registers."""

    identifiers: list[Identifier] = Field(default=[], max_length=100, description="Codes in other registers.")
