"""Partners as organisations: those with an identifier of IATI."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.exchange.iati.extension.writing import record_element
from app.exchange.iati.losses import Loss, all_lost
from app.exchange.iati.markup import element, narrated, text
from app.exchange.iati.reporter import ORGANISATION, Reporter, identifier_in
from app.partners.models import PARTNERS

Record = Mapping[str, Any]

IN_ELEMENTS = (
    "id",
    "name",
    "identifiers",
    "updated_at",
)  # members that an organisation has; the id is in the extension


def reporting_organisation(reporter: Reporter) -> str:
    """Return the organisation that reports, for a registry in which it is no partner."""
    return _organisation(reporter, reporter.ref, {"en": reporter.name}, {})


def organisation(partner: Record, reporter: Reporter) -> str | None:
    """Return the element of a partner, with the extension; None if it has no identifier."""
    identifier = identifier_in(partner, ORGANISATION)
    if identifier is None:
        return None
    attributes = {"last-updated-datetime": partner["updated_at"]}
    return _organisation(reporter, identifier, partner["name"], attributes, record_element(PARTNERS, partner))


def _organisation(
    reporter: Reporter, identifier: str, name: Mapping[str, str], attributes: Mapping[str, object], *extension: str
) -> str:
    return (
        element(
            "iati-organisation",
            attributes,
            element("organisation-identifier", None, text(identifier)),
            narrated("name", name),
            reporter.element(is_secondary=identifier != reporter.ref),
            *extension,
        )
        + "\n"
    )


def organisation_losses(partner: Record) -> Iterator[Loss]:
    """Yield what the organisation files do not have of a partner."""
    identifier = identifier_in(partner, ORGANISATION)
    if identifier is None:
        yield from all_lost(partner, "not_an_organisation")
        return
    yield from all_lost(partner, "no_element", IN_ELEMENTS)
    yield Loss("/id", "organisation-identifier", "no_element")
    for number, item in enumerate(partner["identifiers"]):
        if (item["scheme"], item["value"]) != (ORGANISATION, identifier):
            yield Loss(f"/identifiers/{number}", "organisation-identifier", "no_element")
