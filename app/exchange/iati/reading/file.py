"""The lines of an import of an IATI file.

A file of this program has its records in the extension, and these are read instead of the elements of the standard.
Once an activity has none, the whole file is read in two passes: one to know its organisations, and one to convert it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO
from xml.etree.ElementTree import Element

from app.core.errors import BadFile
from app.exchange.formats.cells.numbers import Decimals
from app.exchange.formats.lines import MAX_LINES, ParsedLine, Reading, too_many_lines
from app.exchange.iati.extension.reading import ExtensionRecords
from app.exchange.iati.reading import activity as activities
from app.exchange.iati.reading import organisation as organisation_file
from app.exchange.iati.reading.amounts import SIDES
from app.exchange.iati.reading.organisations import MENTIONS, first_name, partner_record, reference_of
from app.exchange.iati.reading.parser import CHUNK, UNITS, Node, Only, Parser, Part
from app.exchange.iati.reading.places import country_record
from app.exchange.iati.reading.source import POINT, WHOLE, Origin, SourceFile
from app.exchange.iati.reading.values import UNDETERMINED, Numbers, day_in, language_of, line_of, texts_of

VERSIONS = ("2.01", "2.02", "2.03")
AMOUNTS = frozenset({"transaction", "planned-disbursement", "budget", "recipient-org-budget"})
FIRST_PASS: Only = {
    **dict.fromkeys((*MENTIONS, "iati-identifier", "result")),
    **dict.fromkeys(AMOUNTS, ("value", *SIDES)),
}
MAX_PUBLISHERS = 20
NUMBERS = ("baseline", "target", "actual")
OLD = (
    "The file states version 1 of IATI, which has other elements. Ask its publisher for version 2.01, 2.02 or 2.03, or "
    "convert it with the style sheets of the standard."
)
NO_VERSION = "The file states no version of IATI. Its root needs the attribute version: 2.01, 2.02 or 2.03."
OTHER_VERSION = "The file states a version of IATI that is not known. Versions 2.01, 2.02 and 2.03 can be imported."


def iati_lines(
    file: IO[bytes], reading: Reading | None = None, decimals: Decimals | None = None
) -> Iterator[ParsedLine]:
    """Yield the lines of a file. With a `reading`, its report is set at the end.

    Raise BadFile if the file is none that can be imported, TooLarge if it has too much of something.
    """
    for number, line in enumerate(_lines(file, reading or Reading(), decimals), 1):
        if number > MAX_LINES:
            raise too_many_lines()
        yield line


def _lines(file: IO[bytes], reading: Reading, decimals: Decimals | None) -> Iterator[ParsedLine]:
    """Yield the lines of records as long as all activities have them, and then those of activities of others."""
    records = ExtensionRecords()
    parser = Parser({})
    for part in _parts(file, parser, reading):
        if isinstance(part, Element):
            yield from records.line(part, records.count + 1)
        elif not _is_ignored(part, parser):
            break
    else:
        return
    source = _first_pass(file, reading, decimals)
    source.number = already = records.count
    yield source.document()
    position = 0
    for part in _parts(file, Parser(), reading):
        if isinstance(part, Node):
            yield from _unit_lines(part, source)
            source.tally.add(part)
            continue
        position += 1
        if position > already:
            source.number += 1
            yield from records.line(part, source.number)
    yield from _shared_lines(source)
    reading.report = source.tally.report(source.version, source.sha256, list(source.publishers)[:MAX_PUBLISHERS])


def _parts(
    file: IO[bytes], parser: Parser, reading: Reading, note: Callable[[bytes], None] = lambda _: None
) -> Iterator[Part]:
    """Yield what ends in each chunk of a file, and finish the parser."""
    file.seek(0)
    while chunk := file.read(CHUNK):
        reading.check()
        note(chunk)
        yield from parser.feed(chunk)
    parser.finish()


def _is_ignored(unit: Node, parser: Parser) -> bool:
    """Return whether an element is the organisation that reports, which this program writes without a record."""
    return unit.name == UNITS[1] and parser.has_records


def _first_pass(file: IO[bytes], reading: Reading, decimals: Decimals | None) -> SourceFile:
    """Read what the conversion needs to know of the whole file, in which another program wrote something."""
    parser = Parser(FIRST_PASS)
    digest = hashlib.sha256()
    source: SourceFile | None = None
    for part in _parts(file, parser, reading, digest.update):
        if isinstance(part, Element) or _is_ignored(part, parser):
            continue
        if source is None:
            source = _source_file(parser.root, decimals)
        _note_unit(part, source)
    assert source is not None, "an activity of another program has been read"
    source.sha256 = digest.hexdigest()
    return source


def _source_file(root: Node | None, decimals: Decimals | None) -> SourceFile:
    """Return the file of a root. Raise BadFile if its version cannot be imported."""
    assert root is not None, "an element has been read"
    version = root.get("version")
    if version not in VERSIONS:
        raise BadFile(NO_VERSION if not version else OLD if version.startswith("1") else OTHER_VERSION)
    language = language_of(root, UNDETERMINED)
    published_on = day_in(root.get("generated-datetime"))
    source = SourceFile(root.name, version, "", language, published_on)
    source.results = Numbers(decimals)
    source.amounts = Numbers(decimals, POINT)
    return source


def _note_unit(node: Node, source: SourceFile) -> None:
    """Note the organisations, the publisher, the identifier and the numbers of an activity."""
    language = language_of(node, source.language)
    reporter = node.first("reporting-org")
    if reporter is not None and len(source.publishers) < MAX_PUBLISHERS:
        ref = reference_of(reporter)
        source.publishers.setdefault(ref, line_of(first_name(texts_of(reporter, language))) or ref)
    for child in node.children:
        if child.name in AMOUNTS:
            _note_amount(child, source, language)
        elif child.name in MENTIONS and node.name == UNITS[0]:
            source.organisations.add(child, language)
    if node.name == UNITS[0]:
        source.activities.add(activities.digest_of(activities.identifier_of(node)))
    for value in _values(node.named("result")):
        source.results.prove(value)


def _note_amount(node: Node, source: SourceFile, language: str) -> None:
    for child in node.children:
        if child.name in SIDES:
            source.organisations.add(child, language)
        elif child.name == "value":
            source.amounts.prove(child.content)


def _values(results: Iterable[Node]) -> Iterator[str]:
    stack = list(results)
    while stack:
        node = stack.pop()
        if node.name in NUMBERS:
            yield node.get("value")
        else:
            stack += node.children


def _unit_lines(node: Node, source: SourceFile) -> Iterator[ParsedLine]:
    """Yield the lines of an activity or organisation."""
    language = language_of(node, source.language)
    reporter = node.first("reporting-org")
    publisher = "" if reporter is None else line_of(first_name(texts_of(reporter, language))) or reference_of(reporter)
    if node.name == UNITS[0]:
        origin = Origin(source, activities.identifier_of(node), publisher, language)
        yield from activities.Activity(node, origin).lines()
    elif node.name == UNITS[1]:
        origin = Origin(source, organisation_file.identifier_of(node), publisher, language)
        yield from organisation_file.organisation_lines(node, origin)


def _shared_lines(source: SourceFile) -> Iterator[ParsedLine]:
    """Yield the lines of what several activities share: organisations and agreements."""
    origin = Origin(source, "", "", source.language)
    for organisation in source.organisations.all():
        record, inferred = partner_record(organisation)
        record["citations"] = origin.citations(record, inferred)
        source.countries |= {record["country"]} if "country" in record else set()
        yield source.line("partners", record, [WHOLE])
    for code in sorted(source.countries):
        yield source.line("places", country_record(code, origin), [WHOLE])
    for agreement in source.agreements.values():
        yield source.line("agreements", agreement, ["/kind", "/status"])
