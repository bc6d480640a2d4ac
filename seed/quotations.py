"""Proof of the dataset against the source texts.

The quoted words of each citation are in the text and state the stored value, and each number and date of the texts
is stored in a record or ignored with a reason.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from app.core.model.fields import RecordFields
from app.core.model.support import supported_field
from app.core.values.dates import Edtf, parse_edtf
from app.core.values.evidence import Citation
from app.documents.texts.paragraphs import paragraphs_of, places_of
from seed.evidence_rules import DATES
from seed.files import Dataset, DatasetKey, IgnoredTokens
from seed.vietnamese import Instrument, Moment, Number, instruments, moments, numbers

SENTENCE_ENDS = tuple('.!?…:;”"')
TO_SOMEBODY = ("request", "commitment", "recommendation")
MAX_GAP = 2  # characters between words and the date that follows them, such as « (»
UNITS = {"%": "percent"}  # by unit of the parser: unit of the dataset, where they differ
Token = Number | Moment | Instrument
T = TypeVar("T", Number, Moment, Token)


@dataclass
class EvidenceReport:
    """Result of a proof: problems, ignored numbers and dates with their reasons, and counts."""

    problems: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    tokens: int = 0
    citations: int = 0

    @property
    def summary(self) -> str:
        """The result in one line."""
        return (
            f"{self.citations} citations proved, {self.tokens} numbers and dates in the texts, "
            f"{len(self.ignored)} of them ignored with a reason, {len(self.problems)} problems against the texts."
        )


def prove(dataset: Dataset, folder: Path) -> EvidenceReport:
    """Compare every citation with the texts in a folder, and every number and date of these texts with the records."""
    proof = EvidenceReport()
    texts = _texts(dataset, folder, proof)
    years = {document: _years(dataset.records["documents", document], lines) for document, lines in texts.items()}
    citations: dict[tuple[str, int], list[tuple[DatasetKey, Citation]]] = defaultdict(list)
    for key, fields in dataset.records.items():
        quotes = [
            quote for quote in fields.citations if quote.document in texts and quote.paragraph and quote.as_written
        ]
        kind = getattr(fields, "kind", None) if key[0] == "statements" else None
        if kind in TO_SOMEBODY and all(_is_heading(quote, texts) for quote in quotes):
            proof.problems.append(f"statements/{key[1]}: only headings are cited for this {kind}")
        missing = [name for name in _voices(fields) if quotes and not _is_named(name, quotes, texts)]
        proof.problems += [f"{key[0]}/{key[1]}: no document cited for it names {name}" for name in missing]
        for citation in quotes:
            citations[citation.document, citation.paragraph or 0].append((key, citation))
            proof.citations += 1
            problems = _prove_citation(fields, citation, texts[citation.document], years[citation.document])
            proof.problems += [f"{key[0]}/{key[1]}: {problem}" for problem in problems]
    used: set[tuple[int, str]] = set()
    for document, lines in texts.items():
        for number, line in enumerate(lines, 1):
            at = (document, number)
            _account_for_tokens(dataset, proof, used, at, line, citations[at], years[document])
    proof.problems += _unused(dataset, texts, used)
    return proof


def _is_heading(citation: Citation, texts: dict[str, list[str]]) -> bool:
    """Return whether a citation is of a line that ends without a mark, such as a heading or a caption."""
    lines = texts[citation.document]
    number = citation.paragraph or 0
    return 0 < number <= len(lines) and lines[number - 1].rstrip()[-1:] not in SENTENCE_ENDS


def _is_named(name: str, citations: list[Citation], texts: dict[str, list[str]]) -> bool:
    documents = {citation.document for citation in citations}
    return any(name in "\n".join(texts[document]) for document in documents)


def _texts(dataset: Dataset, folder: Path, proof: EvidenceReport) -> dict[str, list[str]]:
    """Return the paragraphs of each document whose text is in the folder; its hash identifies the file."""
    files = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(folder.glob("*.txt")) if path.is_file()
    }
    texts: dict[str, list[str]] = {}
    for key, document in dataset.of("documents").items():
        path = files.pop(document.sha256, None)
        if document.sha256 and path is None:
            proof.problems.append(f"documents/{key}: no text in {folder} has its sha256")
        elif path is not None:
            texts[key] = paragraphs_of(path.read_text("utf-8"))
            if len(texts[key]) != document.paragraphs:
                proof.problems.append(f"documents/{key}: its text has {len(texts[key])} paragraphs")
    proof.problems += [f"{path}: no document of the dataset has this text" for path in files.values()]
    return texts


def _prove_citation(fields: Any, citation: Citation, lines: list[str], years: set[int]) -> Iterator[str]:
    at = f"{citation.document} paragraph {citation.paragraph}"
    if not citation.paragraph or citation.paragraph > len(lines):
        yield f"{at} does not exist"
        return
    words = str(citation.as_written)
    line = lines[citation.paragraph - 1]
    if not places_of(words, line):
        yield f"{at} does not contain «{words}» as whole words"
        return
    if _stops_before_date(words, line, citation):
        yield f"«{words}» ({at}) stops before the date that it stands for"
    for name in citation.supports:
        missing = _unstated(name, fields, words, line, citation.basis, years)
        if missing:
            yield f"«{words}» ({at}) does not say {missing}"


def _stops_before_date(words: str, line: str, citation: Citation) -> bool:
    """Return whether the words of an inferred date are followed at once by a date that they leave out."""
    has_date = bool(moments(words)) or not any(supported_field(name) in DATES for name in citation.supports)
    if has_date or citation.basis != "inferred":
        return False
    starts = {moment.start for moment in moments(line)}
    return any(starts.intersection(range(end, end + MAX_GAP + 1)) for _, end in places_of(words, line))


def _unstated(name: str, fields: Any, words: str, line: str, basis: str, years: set[int]) -> str | None:
    """Return the number or date of a field that the words do not state; None when they state it."""
    value = getattr(fields, supported_field(name), None)
    if isinstance(value, Edtf):
        dates = _inside(moments(line), words, line) or moments(words)
        return None if _state(dates, name, value, basis, years) else f"{name} {value.edtf}"
    if name == "value" and value is not None and not _says_figure(words, line, fields):
        return f"{fields.qualifier} {value} {fields.unit}"
    if name == "number" and value not in {act.number for act in instruments(words)}:
        return f"number {value}"
    return None


def _state(dates: list[Moment], name: str, value: Edtf, basis: str, years: set[int]) -> bool:
    """Return whether dates state a date or, if the name is a JSON Pointer to one of its ends, this end.

    An inferred date can also be the start or end of a stated period, or have no date in its words.
    """
    end = name.rpartition("/")[2]
    if end in ("earliest", "latest") and any("X" not in moment.edtf for moment in dates):
        return any(getattr(parse_edtf(moment.edtf), end) == getattr(value, end) for moment in dates)
    if basis == "inferred":
        stated = "/".join(moment.edtf for moment in dates if "/" in moment.edtf).split("/")
        return not dates or value.edtf in stated or any(_says_date(moment, value, years) for moment in dates)
    return any(_says_date(moment, value, years) for moment in dates)


def _inside(tokens: list[T], words: str, line: str) -> list[T]:
    """Return the tokens of the line that the words cover: unlike those of the words, with the hedge before them."""
    places = places_of(words, line)
    return [token for token in tokens if any(start <= token.start and token.end <= end for start, end in places)]


def _says_date(moment: Moment, date: Edtf, years: set[int]) -> bool:
    """Return whether the words state the date, one of its ends, or its day in one of the years of the text."""
    if moment.edtf.startswith("XXXX-"):
        days = [day for day in (date.earliest, date.latest) if day is not None]
        return any(day.isoformat()[5:] == moment.edtf[5:15] and day.year in years for day in days)
    if "X" in moment.edtf:
        return False
    stated = moment.edtf.partition("T")[0]
    bare = date.edtf.strip("[]").rstrip("?~%").partition("T")[0]
    span = parse_edtf(stated)
    if span == date.span or stated in (bare, *bare.split("/")):
        return True
    ends = [end for end in bare.split("/") if end != ".."]
    return "/" in bare and any(parse_edtf(end) == span for end in ends)


def _says_figure(words: str, line: str, figure: Any) -> bool:
    stated = _inside(numbers(line), words, line) or numbers(words)
    if any(_is_figure(number, figure) for number in stated):
        return True
    return figure.unit == "year" and any(_is_length(moment, figure) for moment in moments(words))


def _is_figure(number: Number, figure: Any) -> bool:
    if figure.value is None:
        return False
    value = Decimal(str(figure.value))
    high = None if figure.value_high is None else Decimal(str(figure.value_high))
    same_value = (abs(value), high) == (number.value, number.high)
    same_sign = value == 0 or (number.direction < 0) == (value < 0)
    unit = UNITS.get(number.unit or "", number.unit)
    same_unit = unit in (None, figure.unit)
    return same_value and same_sign and same_unit and (number.qualifier or "exact") == figure.qualifier


def _is_length(moment: Moment, figure: Any) -> bool:
    span = parse_edtf(moment.edtf) if "X" not in moment.edtf else None
    return bool(span and span.earliest and span.latest and span.latest.year - span.earliest.year + 1 == figure.value)


def _voices(fields: Any) -> Iterator[str]:
    """Yield the names of the persons in a record."""
    voices = [getattr(fields, name, None) for name in ("said_by", "relayed_for")]
    for voice in [*voices, *getattr(fields, "signatories", []), *getattr(fields, "participants", [])]:
        if voice is not None and voice.name:
            yield voice.name


def _years(document: Any, lines: list[str]) -> set[int]:
    """Return the years that a date without a year can have: those in the text and in the dates of its document."""
    spans = [date.span for date in (document.published_on, document.happened_on) if date]
    for line in lines:
        spans += [parse_edtf(moment.edtf) for moment in moments(line) if "X" not in moment.edtf]
    return {day.year for day in chain.from_iterable(spans) if day is not None}


def _tokens(line: str) -> list[Token]:
    tokens: list[Token] = [*numbers(line), *moments(line), *instruments(line)]
    return sorted(tokens, key=lambda token: token.start)


def _account_for_tokens(
    dataset: Dataset,
    proof: EvidenceReport,
    used: set[tuple[int, str]],
    at: tuple[str, int],
    line: str,
    citations: list[tuple[DatasetKey, Citation]],
    years: set[int],
) -> None:
    """Check that each number and date of a paragraph is in a record that cites it, or is ignored with a reason."""
    for token in _tokens(line):
        proof.tokens += 1
        covering = [key for key, citation in citations if _inside([token], str(citation.as_written), line)]
        if any(_stores(dataset.records[key], token, line, years) for key in covering):
            continue
        index = next((index for index, entry in enumerate(dataset.ignored) if _ignores(entry, at, token)), None)
        if index is None:
            proof.problems.append(f"{at[0]} paragraph {at[1]}: «{token.text}» is in no record and is not ignored")
        else:
            used.add((index, token.text))
            proof.ignored.append(f"{at[0]} paragraph {at[1]}: «{token.text}»: {dataset.ignored[index].reason}")


def _unused(dataset: Dataset, texts: dict[str, list[str]], used: set[tuple[int, str]]) -> Iterator[str]:
    """Yield a problem for each ignored entry that matches nothing in its text."""
    for position, entry in enumerate(dataset.ignored):
        unmatched = [token for token in entry.tokens if (position, token) not in used]
        unused = not entry.tokens and not any(index == position for index, _ in used)
        if entry.document in texts and (unmatched or unused):
            where = f"{entry.document} paragraph {entry.first}"
            yield f"ignored: {where}: «{', '.join(unmatched)}» matches nothing in the text"


def _stores(fields: RecordFields, token: Token, line: str, years: set[int]) -> bool:
    """Return whether the record stores the token, as a value or as a part of its name."""
    names = [*getattr(fields, "title", {}).values(), *getattr(fields, "name", {}).values()]
    if any(token.text in name for name in names):
        return True
    if isinstance(token, Number):
        return hasattr(fields, "value") and fields.value is not None and _says_figure(token.text, line, fields)
    if isinstance(token, Instrument):
        return getattr(fields, "number", None) == token.number
    values = [getattr(fields, name) for name in type(fields).model_fields]
    return any(isinstance(value, Edtf) and _says_date(token, value, years) for value in values)


def _ignores(entry: IgnoredTokens, at: tuple[str, int], token: Token) -> bool:
    inside = entry.document == at[0] and entry.first <= at[1] <= entry.last
    return inside and (not entry.tokens or token.text in entry.tokens)
