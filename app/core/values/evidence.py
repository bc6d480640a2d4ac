"""Where a record comes from and who speaks in it: citations, voices, identifiers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.values.codelists import Code, CodeList
from app.core.values.links import DocumentId, PartnerId
from app.core.values.text import LanguageMap, Line, Prose

BASIS = CodeList(
    "basis",
    "How firmly a citation supports what it is cited for.",
    {
        "stated": Code("Stated in the document", "Nêu trong văn bản"),
        "inferred": Code("Inferred from the document's context", "Suy ra từ ngữ cảnh của văn bản"),
        "external": Code("From another source, named in the note", "Từ nguồn khác, nêu trong ghi chú"),
    },
)


class Value(BaseModel, defer_build=True):
    """A value inside a record: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Citation(Value):
    """The document, paragraph and words that a record, or the named fields of it, rest on.

    A paragraph number counts the non-blank lines of the document's text from 1.
    """

    document: DocumentId = Field(description="Id of the cited document.", examples=["samsung-smart-factory-2023"])
    paragraph: int | None = Field(default=None, ge=1, le=1_000_000, description="Paragraph number, counted from 1.")
    as_written: Line | None = Field(
        default=None, description="The words of the document, literally.", examples=["26 doanh nghiệp"]
    )
    supports: list[Line] = Field(
        default=[], max_length=50, description="Fields it is cited for; empty: the record as a whole."
    )
    basis: Annotated[str, BASIS] = "stated"
    note: Prose | None = Field(default=None, description="For basis external: the source. Otherwise a remark.")


class Voice(Value):
    """A person or office as the source shows them, never a record of its own."""

    name: Line | None = Field(default=None, examples=["Thomas Gass"])
    office: LanguageMap | None = Field(default=None, description="Office held at the time, as the source has it.")
    partner: PartnerId | None = Field(default=None, description="Id of the partner they speak for.")


class Identifier(Value):
    """A code that another register gives this record."""

    scheme: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)] = Field(
        description="The register, such as iati-org, iso3166-1, vn-legal, url.", examples=["iso3166-2"]
    )
    value: Line = Field(examples=["VN-DN"])
