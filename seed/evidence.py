"""Proves the dataset against the texts: the words are there, they say the stored value, and nothing is left over."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from app.core.model.fields import RecordFields
from app.core.values.dates import Edtf, parse_edtf
from app.core.values.evidence import Citation
from seed.files import Dataset, DatasetKey, IgnoredTokens
from seed.vietnamese import Instrument, Moment, Number, instruments, moments, numbers

UNITS = {"%": "percent"}  # how the parser's units are called here, where the names differ
Token = Number | Moment | Instrument
T = TypeVar("T", Number, Moment, Token)


@dataclass
class EvidenceReport:
    """What was found: problems, and what is left out on purpose with the reason."""

    problems: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    tokens: int = 0
    citations: int = 0

    @property
    def summary(self) -> str:
        """One line."""
        return (
            f"{self.citations} citations proved, {self.tokens} numbers and dates in the texts, "
            f"{len(self.ignored)} of them ignored with a reason, {len(self.problems)} problems against the texts."
        )


def paragraphs(text: str) -> list[str]:
    """The non-blank lines of a text; the first is paragraph 1."""
    return [line for line in text.split("\n") if line.strip()]


def prove(dataset: Dataset, folder: Path) -> EvidenceReport:
    """Hold every citation and every number and date of the texts in a folder against each other."""
    proof = EvidenceReport()
    texts = _texts(dataset, folder, proof)
    years = {document: _years(dataset.records["documents", document], lines) for document, lines in texts.items()}
    held: dict[tuple[str, int], list[tuple[DatasetKey, Citation]]] = defaultdict(list)
    for key, fields in dataset.records.items():
        cited = [each for each in fields.citations if each.document in texts and each.paragraph and each.as_written]
        problems = [name for name in _voices(fields) if cited and not _is_named(name, cited, texts)]
        proof.problems += [f"{key[0]}/{key[1]}: no document cited for it names {name}" for name in problems]
        for citation in cited:
            held[citation.document, citation.paragraph or 0].append((key, citation))
            proof.citations += 1
            found = _prove_citation(fields, citation, texts[citation.document], years[citation.document])
            proof.problems += [f"{key[0]}/{key[1]}: {problem}" for problem in found]
    used: set[tuple[int, str]] = set()
    for document, lines in texts.items():
        for number, line in enumerate(lines, 1):
            _account_for_tokens(dataset, proof, used, (document, number), line, held[document, number], years[document])
    proof.problems += _unused(dataset, texts, used)
    return proof


def _is_named(name: str, cited: list[Citation], texts: dict[str, list[str]]) -> bool:
    return any(name in line for document in {each.document for each in cited} for line in texts[document])


def _texts(dataset: Dataset, folder: Path, proof: EvidenceReport) -> dict[str, list[str]]:
    """The paragraphs of each document whose text is in the folder, found by its hash."""
    files = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(folder.glob("*.txt")) if path.is_file()
    }
    texts: dict[str, list[str]] = {}
    for key, document in dataset.of("documents").items():
        path = files.pop(document.sha256, None)
        if document.sha256 and path is None:
            proof.problems.append(f"documents/{key}: no text in {folder} has its sha256")
        elif path is not None:
            texts[key] = paragraphs(path.read_text("utf-8"))
            if len(texts[key]) != document.paragraphs:
                proof.problems.append(f"documents/{key}: its text has {len(texts[key])} paragraphs")
    proof.problems += [f"{path}: no document of the dataset has this text" for path in files.values()]
    return texts


def _prove_citation(fields: Any, citation: Citation, lines: list[str], years: set[int]) -> Iterator[str]:
    at = f"{citation.document} paragraph {citation.paragraph}"
    if not citation.paragraph or citation.paragraph > len(lines):
        yield f"{at} does not exist"
        return
    words, line = str(citation.as_written), lines[citation.paragraph - 1]
    if not _places(words, line):
        yield f"{at} does not hold «{words}», at least not as whole words"
        return
    for name in citation.supports:
        said = _supported(name, fields, words, line, citation.basis, years)
        if said:
            yield f"«{words}» ({at}) does not say {said}"


def _supported(name: str, fields: Any, words: str, line: str, basis: str, years: set[int]) -> str | None:
    """What the field says and the words do not; None when they agree, or when it is no number and no date."""
    value = getattr(fields, name.partition(".")[0], None)
    if isinstance(value, Edtf):
        dates = _inside(moments(line), words, line) or moments(words)
        agrees = any(_says_date(each, value, years) for each in dates) or (basis == "inferred" and not dates)
        return None if agrees else f"{name} {value.edtf}"
    if name == "value" and value is not None and not _says_figure(words, line, fields):
        return f"{fields.qualifier} {value} {fields.unit}"
    if name == "number" and value not in {each.number for each in instruments(words)}:
        return f"number {value}"
    return None


def _places(words: str, line: str) -> list[tuple[int, int]]:
    """Where the words stand in the line as whole words."""
    found, start = [], line.find(words)
    while start >= 0:
        end = start + len(words)
        before, after = line[start - 1 : start], line[end : end + 1]
        if not (before.isalnum() and words[0].isalnum()) and not (after.isalnum() and words[-1].isalnum()):
            found.append((start, end))
        start = line.find(words, start + 1)
    return found


def _inside(tokens: list[T], words: str, line: str) -> list[T]:
    """The tokens of the line that the words cover: read there, they keep the hedge and the verb before them."""
    places = _places(words, line)
    return [each for each in tokens if any(start <= each.start and each.end <= end for start, end in places)]


def _says_date(moment: Moment, date: Edtf, years: set[int]) -> bool:
    """The words give the date; without its year where that is inferred, and within the bound where it is one."""
    if moment.edtf.startswith("XXXX-"):
        days = [day for day in (date.earliest, date.latest) if day is not None]
        return any(day.isoformat()[5:] == moment.edtf[5:15] and day.year in years for day in days)
    if "X" in moment.edtf:
        return False
    said, bare = moment.edtf.partition("T")[0], date.edtf.strip("[]").rstrip("?~%").partition("T")[0]
    span = parse_edtf(said)
    if span == date.span or said in (bare, *bare.split("/")):
        return True
    ends = [end for end in bare.split("/") if end != ".."]
    return "/" in bare and any(parse_edtf(end) == span for end in ends)


def _says_figure(words: str, line: str, figure: Any) -> bool:
    found = _inside(numbers(line), words, line) or numbers(words)
    if any(_is_figure(each, figure) for each in found):
        return True
    return figure.unit == "year" and any(_is_length(each, figure) for each in moments(words))


def _is_figure(number: Number, figure: Any) -> bool:
    value, high = (None if each is None else Decimal(str(each)) for each in (figure.value, figure.value_high))
    same = value is not None and (abs(value), high) == (number.value, number.high)
    same &= value == 0 or (number.direction < 0) == (figure.value < 0)
    unit = UNITS.get(number.unit or "", number.unit)
    return same and unit in (None, figure.unit) and (number.qualifier or "exact") == figure.qualifier


def _is_length(moment: Moment, figure: Any) -> bool:
    span = parse_edtf(moment.edtf) if "X" not in moment.edtf else None
    return bool(span and span.earliest and span.latest and span.latest.year - span.earliest.year + 1 == figure.value)


def _voices(fields: Any) -> Iterator[str]:
    """Names of the persons in a record."""
    voices = [getattr(fields, name, None) for name in ("said_by", "relayed_for")]
    for each in [*voices, *getattr(fields, "signatories", []), *getattr(fields, "participants", [])]:
        if each is not None and each.name:
            yield each.name


def _years(document: Any, lines: list[str]) -> set[int]:
    """Years that a date without one can have: those the text or its publication speaks of."""
    known = [document.published_on, document.happened_on]
    spans = [date.span for date in known if date]
    spans += [parse_edtf(each.edtf) for line in lines for each in moments(line) if "X" not in each.edtf]
    return {day.year for span in spans for day in span if day is not None}


def _tokens(line: str) -> list[Token]:
    found: list[Token] = [*numbers(line), *moments(line), *instruments(line)]
    return sorted(found, key=lambda each: each.start)


def _account_for_tokens(
    dataset: Dataset,
    proof: EvidenceReport,
    used: set[tuple[int, str]],
    at: tuple[str, int],
    line: str,
    held: list[tuple[DatasetKey, Citation]],
    years: set[int],
) -> None:
    """Each number and date of a paragraph is held by a record that cites it, or ignored with a reason."""
    for token in _tokens(line):
        proof.tokens += 1
        covering = [key for key, citation in held if _inside([token], str(citation.as_written), line)]
        if any(_holds(dataset.records[key], token, line, years) for key in covering):
            continue
        entry = next((n for n, each in enumerate(dataset.ignored) if _ignores(each, at, token)), None)
        if entry is None:
            proof.problems.append(f"{at[0]} paragraph {at[1]}: «{token.text}» is in no record and not ignored")
        else:
            used.add((entry, token.text))
            proof.ignored.append(f"{at[0]} paragraph {at[1]}: «{token.text}»: {dataset.ignored[entry].reason}")


def _unused(dataset: Dataset, texts: dict[str, list[str]], used: set[tuple[int, str]]) -> Iterator[str]:
    """What is ignored though there is nothing, or nothing any more, to ignore."""
    for position, entry in enumerate(dataset.ignored):
        left = [each for each in entry.tokens if (position, each) not in used]
        nothing = not entry.tokens and not any(number == position for number, _ in used)
        if entry.document in texts and (left or nothing):
            where = f"{entry.document} paragraph {entry.first}"
            yield f"ignored: {where}: nothing is left for «{', '.join(left)}» to ignore"


def _holds(fields: RecordFields, token: Token, line: str, years: set[int]) -> bool:
    """The record stores what the token says, as a value or as a part of its name."""
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
