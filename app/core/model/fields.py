"""What every record has in common: accepted fields, shown fields, its table row, and its links to other records."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import ConfigDict, StringConstraints
from sqlalchemy import Table
from sqlmodel import Field, SQLModel

from app.core.database.tables import STATE
from app.core.values.evidence import Citation, Identifier
from app.core.values.links import PartnerId
from app.core.values.text import Slug

# The number of the present rendering of records: raise it when what a record shows changes; migrate renders again.
RENDERING = 1

Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]


class RecordFields(SQLModel):
    """What a writer says of any record."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # type: ignore[assignment]

    managed_by: PartnerId | None = Field(default=None, description="Id of the partner that keeps this record, if any.")
    state: Annotated[str, STATE] = Field(default="published", description="published, or draft.")
    citations: list[Citation] = Field(default=[], max_length=200, description="The evidence it rests on.")

    def links(self) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Rows of the link tables that follow from this record, in order."""
        yield from ()

    def inferred_fields(self) -> list[str]:
        """Fields whose only support is inferred."""
        support: dict[str, set[str]] = {}
        for citation in self.citations:
            for field in citation.supports:
                support.setdefault(field, set()).add(citation.basis)
        return sorted(field for field, bases in support.items() if bases == {"inferred"})


class Record(SQLModel):
    """What the registry adds to what the writer said."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, defer_build=True)  # type: ignore[assignment]

    resource: Any = Field(description="The resource's plural name, as in the URL.")
    id: Slug = Field(description="Stable readable id; never renamed, never reused.")
    version: int = Field(ge=1, description="1 when created, one more with each change.")
    created_at: Instant = Field(description="When it was first recorded here (RFC 3339, UTC).")
    updated_at: Instant = Field(description="When it last changed here (RFC 3339, UTC).")
    inferred: list[str] = Field(description="Fields whose only support is inferred from context, not stated.")


class HasIdentifiers(SQLModel):
    """Fields of resources that other registers know too."""

    identifiers: list[Identifier] = Field(default=[], max_length=100, description="Codes given by other registers.")
