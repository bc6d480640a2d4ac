"""Citations, voices and identifiers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from app.core.values.codelists import Code, CodeList
from app.core.values.links import DocumentId, PartnerId
from app.core.values.text import LanguageMap, Line, TextOrLanguageMap
from app.core.values.urls import is_web_url

BASIS = CodeList(
    "basis",
    "How firmly a citation supports a field. "
    "`stated`: the cited words say it. "
    "`inferred`: they do not say it, but it follows from the document. "
    "`external`: another source says it, which `note` names.",
    {
        "stated": Code("Stated in the document", "Nêu trong văn bản"),
        "inferred": Code("Inferred from the document's context", "Suy ra từ ngữ cảnh của văn bản"),
        "external": Code("From another source, named in the note", "Từ nguồn khác, nêu trong ghi chú"),
    },
)


class Value(BaseModel, defer_build=True):
    """Base class of the objects inside a record. Unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Citation(Value):
    """A paragraph of a document, with the words that support a record or some of its fields.

    Paragraphs are the non-blank lines of the document's text, counted from 1.
    """

    document: DocumentId = Field(description="Id of the cited document.", examples=["samsung-smart-factory-2023"])
    paragraph: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Number of the paragraph, counted from 1."
    )
    as_written: Line | None = Field(
        default=None, description="Literal words of the document.", examples=["26 doanh nghiệp"]
    )
    supports: list[Line] = Field(
        default=[],
        max_length=50,
        description="The supported parts of the record: names of fields (`period`) or JSON Pointers (`/roles/2`, "
        "`/parties/0/side`). A pointer must lead to a part of the record. Empty: the whole record.",
        examples=[["value", "/places/1"]],
    )
    basis: Annotated[str, BASIS] = Field(
        default="stated",
        description="Whether the words say it, it is concluded from them, or another source says it: a code of the "
        "list `basis`.",
    )
    note: TextOrLanguageMap | None = Field(
        default=None,
        description="The source, if `basis` is `external`. Otherwise a remark, such as why a value is inferred. "
        "A text without a language is accepted too, and gets the tag `und`.",
    )


class Voice(Value):
    """A person or office, as named in the source. It is not a record."""

    name: Line | None = Field(
        default=None,
        description="Name of the person; null if the source names only an office.",
        examples=["Thomas Gass"],
    )
    office: LanguageMap | None = Field(default=None, description="Office at that time, as named in the source.")
    partner: PartnerId | None = Field(default=None, description="Id of the partner for which they speak.")


class Identifier(Value):
    """The code of a record in another register."""

    scheme: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)] = Field(
        description="The register, such as `iati-org`, `iso3166-1`, `vn-legal` or `url`.", examples=["iso3166-2"]
    )
    value: Line = Field(description="The code. With the scheme `url`, an absolute URL.", examples=["VN-DN"])

    @field_validator("value")
    @classmethod
    def _is_url_of_scheme_url(cls, value: str, info: ValidationInfo) -> str:
        return is_web_url(value, info) if info.data.get("scheme") == "url" else value
