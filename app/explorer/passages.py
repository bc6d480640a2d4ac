"""Quoted paragraphs, with the quoted words marked in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

MAIN = "tok"  # the words that state the number or the name; classes of the stylesheet
OTHER = "oth"

Quotation = Mapping[str, Any]


class Part(NamedTuple):
    """A part of a paragraph with the class of its mark, or "" without one."""

    text: str
    mark: str


class Passage(NamedTuple):
    """A paragraph, or a whole document, with the citations of a record in it. `parts` are empty if it is not shown."""

    document: str
    paragraph: int | None
    parts: list[Part]
    quotations: list[Quotation]


def passages_of(evidence: Mapping[str, Any], *main_fields: str) -> list[Passage]:
    """Return the paragraphs that a record quotes. Those with words that support the main fields come first, and these
    words have the stronger mark."""
    texts = {(item["document"], item["paragraph"]): item["text"] for item in evidence["paragraphs"]}
    passages = []
    for (document, paragraph), group in groupby(evidence["quotations"], _place):
        quotations = list(group)
        text = texts.get((document, paragraph), "")
        main = [_supports_any(quotation, main_fields) for quotation in quotations]
        parts = marked(text, zip(quotations, main, strict=True))
        passages.append((not any(main), Passage(document, paragraph, parts, quotations)))
    return [passage for _, passage in sorted(passages, key=lambda pair: pair[0])]


def marked(text: str, quotations: Iterable[tuple[Quotation, bool]]) -> list[Part]:
    """Return the parts of a paragraph, from its quotations and whether each has the stronger mark. It counts where they
    overlap."""
    spans: list[tuple[int, int, str]] = []
    for quotation, is_main in quotations:
        spans += [(start, end, MAIN if is_main else OTHER) for start, end in quotation["places"]]
    starts = {start for start, _, _ in spans}
    cuts = sorted({0, len(text), *starts, *(end for _, end, _ in spans)})
    return list(_joined(Part(text[start:end], _mark(start, end, spans)) for start, end in pairwise(cuts)))


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    for mark, group in groupby(parts, lambda part: part.mark):
        yield Part("".join(part.text for part in group), mark)


def _mark(start: int, end: int, spans: Sequence[tuple[int, int, str]]) -> str:
    marks = {mark for first, last, mark in spans if first <= start and end <= last}
    return MAIN if MAIN in marks else OTHER if marks else ""


def _place(quotation: Quotation) -> tuple[str, int | None]:
    return quotation["document"], quotation["paragraph"]


def _supports_any(quotation: Quotation, main_fields: Sequence[str]) -> bool:
    """Return whether a quotation supports one of the fields, or the whole record."""
    fields = {pointer.strip("/").partition("/")[0] for pointer in quotation["supports"]}
    return not fields or bool(fields & set(main_fields))
