"""Where an activity takes place: countries by their codes, and regions of the world, which become places."""

from typing import Any

from app.exchange.formats.lines import ParsedLine
from app.exchange.iati.reading.findings import IMPORTED, keep
from app.exchange.iati.reading.parser import Node
from app.exchange.iati.reading.source import WHOLE, Origin
from app.exchange.iati.reading.values import texts_of
from app.places.models import COUNTRY

DAC = ("", "1")  # vocabularies of regions: that of the OECD DAC, which is the default
SCHEME = "dac-region"
# IATI Region, which has the regions of the OECD DAC.
REGIONS = {
    "88": "States Ex-Yugoslavia unspecified",
    "89": "Europe, regional",
    "189": "North of Sahara, regional",
    "289": "South of Sahara, regional",
    "298": "Africa, regional",
    "380": "West Indies, regional",
    "389": "Caribbean & Central America, regional",
    "489": "South America, regional",
    "498": "America, regional",
    "589": "Middle East, regional",
    "619": "Central Asia, regional",
    "679": "South Asia, regional",
    "689": "South & Central Asia, regional",
    "789": "Far East Asia, regional",
    "798": "Asia, regional",
    "889": "Oceania, regional",
    "998": "Developing countries, unspecified",
    "1027": "Eastern Africa, regional",
    "1028": "Middle Africa, regional",
    "1029": "Southern Africa, regional",
    "1030": "Western Africa, regional",
    "1031": "Caribbean, regional",
    "1032": "Central America, regional",
    "1033": "Melanesia, regional",
    "1034": "Micronesia, regional",
    "1035": "Polynesia, regional",
}


def country_record(code: str, origin: Origin) -> dict[str, Any]:
    """Return the record of a country, for a registry that does not have it."""
    record: dict[str, Any] = {"name": COUNTRY.codes[code].label, "level": "country", "code": code}
    source = {"supports": ["name", "level"], "basis": "external", "note": {"en": COUNTRY.source}}
    record["citations"] = [{"document": origin.file.document_id, "supports": ["code"]}]
    record["citations"].append({"document": origin.file.document_id, **source})
    return record


class Recipients:
    """The places of an activity. `lines` are those of regions that the file has not named before."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self.lines: list[ParsedLine] = []
        self.places: list[str] = []

    def add(self, node: Node) -> None:
        """Add the country or region of an element, and note whether it is kept."""
        texts_of(node, self._origin.language)
        code = node.get("code").upper()
        node.fate = IMPORTED
        if node.name == "recipient-country":
            place = self._country(code)
        elif node.get("vocabulary") not in DAC:
            place = None
            node.fate = "own_vocabulary"
        else:
            place = self._region(code)
        if place is None:
            node.fate = "unknown_code" if node.fate == IMPORTED else node.fate
            return
        if place not in self.places:
            self.places.append(place)
        keep(*node.children)

    def _country(self, code: str) -> str | None:
        if code not in COUNTRY.codes:
            return None
        self._origin.file.countries.add(code)
        return code

    def _region(self, code: str) -> str | None:
        if code not in REGIONS:
            return None
        place_id = f"{SCHEME}-{code}"
        if place_id not in self._origin.file.line_ids:
            self._origin.file.line_ids.add(place_id)
            record: dict[str, Any] = {
                "id": place_id,
                "name": {"en": REGIONS[code]},
                "level": "world_region",
                "identifiers": [{"scheme": SCHEME, "value": code}],
            }
            record["citations"] = self._origin.citations(record)
            self.lines.append(self._origin.file.line("places", record, [WHOLE]))
        return place_id
