"""Proves the dataset against the texts: the words are there, they say the stored value, and nothing is left over."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.core.dates import Edtf, parse_edtf
from app.core.evidence import Citation
from app.core.record import RecordFields
from seed.files import Dataset, Ignored, Key
from seed.vietnamese import Instrument, Moment, Number, instruments, moments, numbers

UNITS = {"%": "percent"}  # how the parser's units are called here, where the names differ
Token = Number | Moment | Instrument


@dataclass
class Proof:
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


def prove(dataset: Dataset, folder: Path) -> Proof:
    """Hold every citation and every number and date of the texts in a folder against each other."""
    proof = Proof()
    texts = _texts(dataset, folder, proof)
    held: dict[tuple[str, int], list[tuple[Key, Citation]]] = defaultdict(list)
    for key, fields in dataset.records.items():
        for citation in fields.citations:
            if citation.document in texts and citation.paragraph and citation.as_written:
                held[citation.document, citation.paragraph].append((key, citation))
                proof.citations += 1
                found = _prove_citation(fields, citation, texts[citation.document])
                proof.problems += [f"{key[0]}/{key[1]}: {problem}" for problem in found]
    used: set[int] = set()
    for document, lines in texts.items():
        for number, line in enumerate(lines, 1):
            _account(dataset, proof, used, (document, number), line, held[document, number])
    for position, entry in enumerate(dataset.ignored):
        if position not in used and entry.document in texts:
            where = f"{entry.document} paragraph {entry.first}"
            proof.problems.append(f"ignored: {where}: nothing is left for «{', '.join(entry.tokens)}» to ignore")
    return proof


def _texts(dataset: Dataset, folder: Path, proof: Proof) -> dict[str, list[str]]:
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


def _prove_citation(fields: Any, citation: Citation, lines: list[str]) -> Iterator[str]:
    at = f"{citation.document} paragraph {citation.paragraph}"
    if not citation.paragraph or citation.paragraph > len(lines):
        yield f"{at} does not exist"
        return
    words = str(citation.as_written)
    if words not in lines[citation.paragraph - 1]:
        yield f"{at} does not hold «{words}»"
        return
    for name in citation.supports:
        value = getattr(fields, name.partition(".")[0], None)
        if isinstance(value, Edtf):
            said: list[Token] = [*moments(words)]
            if not any(_says_date(each, value) for each in moments(words)) and (said or citation.basis == "stated"):
                yield f"«{words}» ({at}) does not say {name} {value.edtf}"
        elif name == "value" and value is not None and not _says_figure(words, fields):
            yield f"«{words}» ({at}) does not say {value} {fields.unit}"
        elif name == "number" and value not in {each.number for each in instruments(words)}:
            yield f"«{words}» ({at}) does not say number {value}"


def _says_date(moment: Moment, date: Edtf) -> bool:
    """The words give the date; without its year where that is inferred, and within the bound where it is one."""
    if moment.edtf.startswith("XXXX-"):
        days = {date.earliest, date.latest} - {None}
        return any(day is not None and day.isoformat()[5:] == moment.edtf[5:15] for day in days)
    said, bare = moment.edtf.partition("T")[0], date.edtf.strip("[]").rstrip("?~%").partition("T")[0]
    span = parse_edtf(said)
    if span == date.span or said in (bare, *bare.split("/")):
        return True
    ends = [end for end in bare.split("/") if end != ".."]
    return "/" in bare and any(parse_edtf(end) == span for end in ends)


def _says_figure(words: str, figure: Any) -> bool:
    return any(_is_figure(each, figure) for each in numbers(words)) or (
        figure.unit == "year" and any(_is_length(each, figure) for each in moments(words))
    )


def _is_figure(number: Number, figure: Any) -> bool:
    if number.high is not None and figure.value_high is not None:
        same = (number.value, number.high) == (Decimal(str(figure.value)), Decimal(str(figure.value_high)))
    else:
        same = abs(Decimal(str(figure.value))) == number.value and figure.value_high is None
        same &= number.direction >= 0 or figure.value < 0
    unit = UNITS.get(number.unit or "", number.unit)
    return same and (unit is None or unit == figure.unit) and number.qualifier in (None, figure.qualifier)


def _is_length(moment: Moment, figure: Any) -> bool:
    span = parse_edtf(moment.edtf) if not moment.edtf.startswith("X") else None
    return bool(span and span.earliest and span.latest and span.latest.year - span.earliest.year + 1 == figure.value)


def _tokens(line: str) -> list[Token]:
    found: list[Token] = [*numbers(line), *moments(line), *instruments(line)]
    return sorted(found, key=lambda each: each.start)


def _account(
    dataset: Dataset,
    proof: Proof,
    used: set[int],
    at: tuple[str, int],
    line: str,
    held: list[tuple[Key, Citation]],
) -> None:
    """Each number and date of a paragraph is held by a record that cites it, or ignored with a reason."""
    for token in _tokens(line):
        proof.tokens += 1
        if any(_covers(citation, line, token) and _holds(dataset.records[key], token) for key, citation in held):
            continue
        entry = next((n for n, each in enumerate(dataset.ignored) if _ignores(each, at, token)), None)
        if entry is None:
            proof.problems.append(f"{at[0]} paragraph {at[1]}: «{token.text}» is in no record and not ignored")
        else:
            used.add(entry)
            proof.ignored.append(f"{at[0]} paragraph {at[1]}: «{token.text}»: {dataset.ignored[entry].reason}")


def _covers(citation: Citation, line: str, token: Token) -> bool:
    words = str(citation.as_written)
    start = line.find(words)
    while start >= 0:
        if start <= token.start and token.end <= start + len(words):
            return True
        start = line.find(words, start + 1)
    return False


def _holds(fields: RecordFields, token: Token) -> bool:
    """The record stores what the token says, as a value or as a part of its name."""
    names = [*getattr(fields, "title", {}).values(), *getattr(fields, "name", {}).values()]
    if any(token.text in name for name in names):
        return True
    if isinstance(token, Number):
        return hasattr(fields, "value") and fields.value is not None and _says_figure(token.text, fields)
    if isinstance(token, Instrument):
        return getattr(fields, "number", None) == token.number
    values = [getattr(fields, name) for name in type(fields).model_fields]
    return any(isinstance(value, Edtf) and _says_date(token, value) for value in values)


def _ignores(entry: Ignored, at: tuple[str, int], token: Token) -> bool:
    inside = entry.document == at[0] and entry.first <= at[1] <= entry.last
    return inside and (not entry.tokens or token.text in entry.tokens)
