"""Quoted paragraphs, with the quoted words marked in them, and the other numbers of a paragraph as links."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

MAIN = "tok"  # the words that state the number or the name; classes of the stylesheet
OTHER = "oth"
MAX_NEIGHBOURS = 50  # quotations of other figures in a paragraph that become links

Quotation = Mapping[str, Any]


class Part(NamedTuple):
    """A part of a paragraph with the class of its mark, or "" without one. `figure` is that of another number in it."""

    text: str
    mark: str
    figure: str = ""


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
    opening: Counter[tuple[int, str]] = Counter()  # by place and mark: quotations that start there, less those that end
    for quotation, is_main in quotations:
        mark = MAIN if is_main else OTHER
        for start, end in quotation["places"]:
            opening[start, mark] += 1
            opening[end, mark] -= 1
    cuts = sorted({0, len(text), *(place for place, _ in opening)})
    depths = {MAIN: 0, OTHER: 0}
    parts = []
    for start, end in pairwise(cuts):
        for mark in depths:
            depths[mark] += opening[start, mark]
        parts.append(Part(text[start:end], next((mark for mark, depth in depths.items() if depth), "")))
    return list(_joined(parts))


def with_links(passage: Passage, neighbours: Sequence[Quotation]) -> Passage:
    """Return a passage in which the words of other figures are links."""
    return passage._replace(parts=list(_cut(passage.parts, _apart(neighbours))))


def _cut(parts: Iterable[Part], spans: Sequence[tuple[int, int, str]]) -> Iterator[Part]:
    """Yield the parts, those without a mark cut at the words of other figures, which become parts of their own."""
    start = 0
    for part in parts:
        end = start + len(part.text)
        done = start
        for first, last, figure in spans if not part.mark else ():
            if start <= first and last <= end:
                yield Part(part.text[done - start : first - start], "")
                yield Part(part.text[first - start : last - start], "", figure)
                done = last
        yield part._replace(text=part.text[done - start :])
        start = end


def _apart(quotations: Sequence[Quotation]) -> list[tuple[int, int, str]]:
    """Return the places of quotations in order, with their figures. Of those that overlap, the shortest one counts."""
    places: list[tuple[int, int, str]] = []
    for item in quotations[:MAX_NEIGHBOURS]:
        places += [(start, end, item["id"]) for start, end in item["places"]]
    chosen: list[tuple[int, int, str]] = []
    for place in sorted(places, key=lambda place: (place[1] - place[0], place)):
        if all(place[1] <= start or end <= place[0] for start, end, _ in chosen):
            chosen.append(place)
    return sorted(chosen)


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    for mark, group in groupby(parts, lambda part: part.mark):
        yield Part("".join(part.text for part in group), mark)


def _place(quotation: Quotation) -> tuple[str, int | None]:
    return quotation["document"], quotation["paragraph"]


def _supports_any(quotation: Quotation, main_fields: Sequence[str]) -> bool:
    """Return whether a quotation supports one of the fields, or the whole record."""
    fields = {pointer.strip("/").partition("/")[0] for pointer in quotation["supports"]}
    return not fields or bool(fields & set(main_fields))
