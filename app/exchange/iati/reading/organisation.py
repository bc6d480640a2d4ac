"""An organisation of an organisation file as a partner, with the documents to which it links."""

from collections.abc import Iterator

from app.core.errors import ErrorItem
from app.exchange.formats.lines import ParsedLine
from app.exchange.iati.reading.amounts import Amounts
from app.exchange.iati.reading.documents import DocumentLinks
from app.exchange.iati.reading.findings import IMPORTED, keep, warnings_of
from app.exchange.iati.reading.organisations import Organisation, partner_record, reference_of
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.source import WHOLE, Origin
from app.exchange.iati.reading.values import line_of, texts_of

NO_NAME = "The organisation has no organisation-identifier, or no name."


def identifier_of(node: Node) -> str:
    """Return the identifier of an organisation; empty if it has none."""
    identifier = node.first("organisation-identifier")
    return line_of(identifier.content) if identifier else ""


def organisation_lines(node: Node, origin: Origin) -> Iterator[ParsedLine]:
    """Yield the line of the partner and those of its documents."""
    organisation = Organisation(origin.identifier)
    organisation.name = texts_of(node.first("name"), origin.language)
    reporter = node.first("reporting-org")
    if reporter is not None and reference_of(reporter) == origin.identifier:
        organisation.kind = reporter.get("type")
    keep(node.first("organisation-identifier"), reporter)
    links = DocumentLinks(origin, [])
    more = links.citations_in(node, ["name"])
    record, inferred = partner_record(organisation)
    origin.file.countries |= {record["country"]} if "country" in record else set()
    record["citations"] = origin.citations(record, inferred, more)
    is_whole = bool(origin.identifier and organisation.name)
    errors = [] if is_whole else [ErrorItem(pointer="/name", code="not_stated", detail=NO_NAME)]
    node.fate = IMPORTED if is_whole else "refused"
    amounts = list(Amounts(node, origin).lines()) if is_whole else []
    yield from links.lines
    yield origin.file.line("partners", record, [WHOLE], errors, warnings_of(node))
    yield from amounts
