"""What `…/evidence` returns. All resources share these models."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from app.analysis.audit.routes import FindingShown
from app.core.change_log import PUBLIC_ACTION
from app.core.model.fields import Instant
from app.core.values.codelists import Code, CodeList
from app.core.values.dates import Edtf
from app.core.values.evidence import Citation
from app.core.values.text import LanguageMap
from app.documents.texts.models import Places
from app.figures.codelists import QUALIFIER, UNIT

ARITHMETIC = CodeList(
    "arithmetic",
    "A computation with figures. "
    "`parts`: parts that are broken down by the same dimension are added and compared with their total. "
    "`share`: a share is compared with the quotient of the two numbers that it relates to. "
    "`change`: a change is compared with the difference of the two numbers that it relates to. "
    "`target`: a result as a percentage of the target that it is compared with. "
    "`steps`: the latest result and the plans that follow it are added and compared with their target.",
    {
        "parts": Code("Parts and their total", "Các phần và tổng"),
        "share": Code("A share and its base", "Tỷ lệ và số gốc"),
        "change": Code("A change and the numbers before and after it", "Mức thay đổi, số trước và số sau"),
        "target": Code("A result and its target", "Kết quả và mục tiêu"),
        "steps": Code("Result, plans and target", "Kết quả, kế hoạch và mục tiêu"),
    },
)
TERM_ROLE = CodeList(
    "term_role",
    "What a figure is in a computation. "
    "`summand`: it is added to others. "
    "`base`: the number of which a share is stated, or which a change led to. "
    "`compared`: the number that is compared with the base or the target. "
    "`stated`: the number with which the result is compared: a total, share, change or target.",
    {
        "summand": Code("Summand", "Số hạng"),
        "base": Code("Base", "Số gốc"),
        "compared": Code("Compared number", "Số được so sánh"),
        "stated": Code("Stated number", "Số được nêu"),
    },
)

Amount = int | float | None


class Verification(BaseModel, defer_build=True):
    """Whether the stored text of the document has the quoted words in the cited paragraph."""

    on: date = Field(description="Day of the comparison (UTC): the day of the response.")
    holds: bool = Field(description="Whether the paragraph has the words, as whole words.")


class QuotationShown(Citation):
    """A citation with its place in the text of the document."""

    places: Places
    prefix: str | None = Field(description="The few words before the quoted ones. Null: they may not be shown.")
    suffix: str | None = Field(description="The few words after the quoted ones. Null: they may not be shown.")
    link: str | None = Field(
        description="Address of the document with a text fragment (`#:~:text=`), at which a browser opens the words. "
        "Null: the document has no address."
    )
    verified: Verification | None = Field(
        description="Null: the registry does not hold the text, or the citation quotes no words."
    )


class QuotedParagraph(BaseModel, defer_build=True):
    """A paragraph that the record quotes, as far as it may be shown."""

    document: str = Field(description="Id of the document.")
    paragraph: int = Field(description="Number of the paragraph, counted from 1.", examples=[12])
    text: str = Field(description="The paragraph in NFC.")


class CitedDocument(BaseModel, defer_build=True):
    """A document that the record cites, with what a reader needs to find it."""

    id: str = Field(description="Id of the document.")
    title: LanguageMap = Field(description="Title of the document, by language.")
    language: str | None = Field(description="Language of the text, as a BCP 47 tag.")
    publisher: str | None = Field(description="Name of the publisher, as the text states it.")
    published_on: Edtf | None = Field(description="Date of publication or of issue.")
    url: str | None = Field(description="Web address of the text.")
    paragraphs: int | None = Field(description="Number of paragraphs of the text.")


class Term(BaseModel, defer_build=True):
    """A figure in a computation."""

    figure: str = Field(description="Id of the figure.")
    role: Annotated[str, TERM_ROLE] = Field(description="What the figure is in the computation.")
    value: Amount = Field(description="The number. Null: the source states it in words.")
    value_high: Amount = Field(description="Upper end, if the source states a range.")
    qualifier: Annotated[str, QUALIFIER] = Field(description="How exactly the source states the number.")
    unit: Annotated[str, UNIT] = Field(description="Unit of the number.")


class Computation(BaseModel, defer_build=True):
    """A computation in which the figure takes part."""

    kind: Annotated[str, ARITHMETIC] = Field(description="Kind of the computation.")
    how: str = Field(description="Formula with its numbers.", examples=["14 + 12"])
    result: int | float = Field(description="Result of the formula.")
    agrees: bool | None = Field(
        description="Whether the result can be the stated number, as far as ranges, rounding and qualifiers allow. "
        "Null: the formula has no stated number to compare with."
    )
    terms: list[Term] = Field(description="The figures of the formula in its order, and last the stated number.")


class VersionNamed(BaseModel, defer_build=True):
    """A public version of the record."""

    version: int = Field(description="Number of the version, counted from 1.")
    at: Instant = Field(description="Time at which the version was written.")
    action: Annotated[str, PUBLIC_ACTION] = Field(description="What the write means to readers.")


class Evidence(BaseModel, defer_build=True):
    """What a record rests on."""

    resource: str = Field(description="Resource of the record.", examples=["figures"])
    id: str = Field(description="Id of the record.")
    version: int = Field(description="Present version of the record.")
    quotations: list[QuotationShown] = Field(description="All citations of the record, in reading order.")
    paragraphs: list[QuotedParagraph] = Field(
        description="The quoted paragraphs that may be shown, in reading order, up to 4 MB."
    )
    documents: list[CitedDocument] = Field(description="The cited documents, in the order of the quotations.")
    arithmetic: list[Computation] = Field(description="The first 50 computations in which a figure takes part.")
    findings: list[FindingShown] = Field(
        description="Warnings and errors of the audit that involve the record, for the day of the response."
    )
    versions: list[VersionNamed] = Field(description="The latest 50 public versions, the newest first.")
    history: str = Field(description="Path of the complete history, with the differences between versions.")
