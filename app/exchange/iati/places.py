"""Where an activity takes place: its recipient country or region, and its locations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.exchange.iati.markup import element, narrated
from app.exchange.iati.pages import MAX_LEVELS, Linked
from app.places.models import COUNTRY

WGS_84 = "http://www.opengis.net/def/crs/EPSG/0/4326"
OWN = "99"  # the vocabulary of the reporting organisation
ISO_COUNTRY = "A4"
ACTIVITY_REACH = "1"

Record = Mapping[str, Any]


def recipients(project: Record, linked: Linked) -> list[Record]:
    """Return the countries of the places of a project. A place in no country stands for itself."""
    places = [_country_of(place, linked) for place in linked.all_of("places", project["places"])]
    return list({place["id"]: place for place in places}.values())


def recipient_elements(places: Sequence[Record], base: str) -> Iterator[tuple[str, str]]:
    """Yield the recipient of an activity: one country, or else one region of the registry's own vocabulary.

    Several countries would need percentages, so they are one region.
    """
    if len(places) == 1 and is_country(places[0]):
        attributes = {"code": places[0]["code"]}
        yield "recipient-country", narrated("recipient-country", places[0]["name"], attributes)
        return
    code = "+".join(place["id"] for place in places)
    attributes = {"code": code, "vocabulary": OWN, "vocabulary-uri": f"{base}/v1/places"}
    yield "recipient-region", narrated("recipient-region", joined([place["name"] for place in places]), attributes)


def location(place: Record) -> str:
    """Return the element of one place."""
    point = place["point"]
    return element(
        "location",
        {"ref": place["id"]},
        element("location-reach", {"code": ACTIVITY_REACH}),
        element("location-id", {"vocabulary": ISO_COUNTRY, "code": place["code"]}) if is_country(place) else "",
        narrated("name", place["name"]),
        _point(point) if point else "",
    )


def is_country(place: Record) -> bool:
    """Return whether a place is a country of ISO 3166-1."""
    return place["level"] == "country" and place["code"] in COUNTRY.codes


def joined(texts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return several texts as one, in each language that all of them have. Without one: in the first of each."""
    common = [language for language in texts[0] if all(language in other for other in texts)]
    if common:
        return {language: "; ".join(_distinct(names[language] for names in texts)) for language in common}
    return {"und": "; ".join(_distinct(next(iter(names.values())) for names in texts))}


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _point(point: Record) -> str:
    position = f"{_degrees(point['latitude'])} {_degrees(point['longitude'])}"
    return element("point", {"srsName": WGS_84}, element("pos", None, position))


def _degrees(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".")


def _country_of(place: Record, linked: Linked) -> Record:
    """Return the country that a place is part of, or the place itself."""
    above: Record | None = place
    for _ in range(MAX_LEVELS):
        if above is None or is_country(above):
            break
        above = linked.get("places", above["parent"]) if above["parent"] else None
    return above if above is not None and is_country(above) else place
