"""`/places/{id}` and `/places`: what happened in a place, and the provinces as squares with their projects."""

from collections.abc import Mapping
from typing import Any

from app.explorer.drawing.province_tiles import HEIGHT, WIDTH, tiles_of, unit_of, walls_of
from app.explorer.page_reads import MAX_LISTED, joined, read_lines, read_record
from app.explorer.reads import Parameters, PublicReads
from app.explorer.rendering import Content
from app.explorer.view import View

PROVINCES: Parameters = {"level": "province", "limit": 200, "fields": "name,code,succeeded_by", "sort": "name"}


async def place_page(view: View, reads: PublicReads, place: str) -> Content:
    """Return the page of a place."""
    record = await read_record(reads, view, "places", place, "parent,successors,documents")
    projects = await read_lines(reads, view, "projects", {"place": place, "limit": MAX_LISTED, "include": "documents"})
    include = "indicators,projects,places,documents"
    figures = await read_lines(reads, view, "figures", {"place": place, "include": include})
    partners = await read_lines(reads, view, "partners", {"country": place, "limit": 30})
    earlier = await reads.get("/v1/places", {"succeeded_by": place, "limit": 30, "fields": "name"})
    parts = await reads.get("/v1/places", {"parent": place, "limit": 100, "fields": "name", "sort": "name"})
    values = {
        "record": record,
        "included": joined(record, figures),
        "projects": projects,
        "figures": figures,
        "partners": partners,
        "earlier": earlier,
        "parts": parts,
    }
    return Content("place.html", values, "places")


async def places_page(_: View, reads: PublicReads) -> Content:
    """Return the page of all provinces, with the number of projects in each."""
    provinces = await reads.summary("/v1/places", PROVINCES)
    counted = await reads.summary("/v1/projects/facets", {"facet": "place", "limit": 200})
    values = counted["facets"]["place"]["values"]
    counts = {item["value"]: item["count"] for item in values}
    tiles = tiles_of(provinces["items"])
    names = {place["id"]: place for place in provinces["items"]}
    rows = [_row(place, names, counts) for place in provinces["items"] if place["id"] in counts]
    content = {
        "tiles": tiles,
        "diagrams": [("tiles_before", walls_of(tiles, merged=False)), ("tiles_now", walls_of(tiles, merged=True))],
        "size": (WIDTH, HEIGHT),
        "counts": counts,
        "rows": rows,
        "others": [item for item in values if item["value"] not in names],
    }
    return Content("places.html", content, "places")


def _row(place: Mapping[str, Any], names: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
    later = unit_of(place)
    return {"place": place, "count": counts[place["id"]], "now": names.get(later) if later != place["id"] else None}
