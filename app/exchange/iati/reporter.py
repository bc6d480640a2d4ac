"""Who reports: the reporting organisation of the settings, and the identifiers that it gives to activities."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.core.errors import NotConfigured
from app.core.settings import Settings
from app.exchange.iati.markup import narrated

ORGANISATION = "iati-org"  # the schemes of identifiers that IATI defines
ACTIVITY = "iati-activity"
IDENTIFIER = re.compile(r"[^\s/&|?\x00-\x1f\ufffe\uffff]{1,300}")
NOT_SET = (
    "This registry has no reporting organisation, which every IATI file names. The operator sets "
    "HOPTAC_IATI_REPORTING_ORG to the identifier of the organisation that publishes it."
)

Record = Mapping[str, Any]


def identifier_in(record: Record, scheme: str) -> str | None:
    """Return the first usable identifier of a record in a scheme of IATI."""
    values = [item["value"] for item in record["identifiers"] if item["scheme"] == scheme]
    return next((value for value in values if IDENTIFIER.fullmatch(value)), None)


@dataclass(frozen=True)
class Reporter:
    """The organisation that publishes the files. `base` precedes `/v1` in links."""

    ref: str
    name: str
    kind: str
    base: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the organisation of the settings; NotConfigured if they name none."""
        if not settings.iati_reporting_org:
            raise NotConfigured(NOT_SET)
        name = settings.iati_reporting_name or settings.site_name
        return cls(settings.iati_reporting_org, name, settings.iati_reporting_type, settings.link_base())

    def activity_id(self, project: Record) -> str:
        """Return the identifier of an activity: that of its publisher, or else one that starts with our own."""
        original = identifier_in(project, ACTIVITY)
        return original if original and original != self.ref else f"{self.ref}-{project['id']}"

    def owns(self, identifier: str) -> bool:
        """Return whether the identifier of an activity is one of this organisation."""
        return identifier.startswith(f"{self.ref}-")

    def element(self, *, is_secondary: bool) -> str:
        """Return the element `reporting-org`."""
        attributes = {"ref": self.ref, "type": self.kind, "secondary-reporter": int(is_secondary)}
        return narrated("reporting-org", {"en": self.name}, attributes)

    def is_one_of(self, partners: Iterable[Record | None]) -> bool:
        """Return whether one of these partners is this organisation."""
        return any(partner and identifier_in(partner, ORGANISATION) == self.ref for partner in partners)
