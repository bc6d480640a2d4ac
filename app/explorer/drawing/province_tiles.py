"""The provinces of Viet Nam as squares of one size. It is a diagram of units and not a map: it has no boundaries."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

SIDE = 22  # of a square, in units of the drawing
WIDTH = 7 * SIDE
HEIGHT = 20 * SIDE

Place = Mapping[str, Any]


class Tile(NamedTuple):
    """A province before July 2025, by the place of its square."""

    place: Place
    x: int
    y: int


class Wall(NamedTuple):
    """A line between two neighbours that belong to different units."""

    x1: int
    y1: int
    x2: int
    y2: int


@cache
def positions() -> dict[str, tuple[int, int]]:
    """Return row and column of each province by its ISO 3166-2 code."""
    lines = (files("app.explorer.drawing") / "provinces.tsv").read_text("utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {code: (int(row), int(column)) for code, row, column in rows}


def tiles_of(places: Sequence[Place]) -> list[Tile]:
    """Return the squares of the places that are provinces of Viet Nam."""
    by_code = positions()
    tiles = []
    for place in places:
        if place["code"] in by_code:
            row, column = by_code[place["code"]]
            tiles.append(Tile(place, column * SIDE, row * SIDE))
    return tiles


def walls_of(tiles: Sequence[Tile], *, merged: bool) -> list[Wall]:
    """Return the lines between provinces; if `merged`, only those between the units that they belong to now."""
    units = {(tile.x, tile.y): unit_of(tile.place) if merged else tile.place["id"] for tile in tiles}
    return list(_walls(units))


def unit_of(place: Place) -> str:
    """Return the id of the unit that a province belongs to since July 2025."""
    later: list[str] = place["succeeded_by"]
    return later[0] if later else place["id"]


def _walls(units: Mapping[tuple[int, int], str]) -> Iterator[Wall]:
    for (x, y), unit in units.items():
        if units.get((x + SIDE, y), unit) != unit:
            yield Wall(x + SIDE, y, x + SIDE, y + SIDE)
        if units.get((x, y + SIDE), unit) != unit:
            yield Wall(x, y + SIDE, x + SIDE, y + SIDE)
