"""Write the code lists of other bodies: `make codelists`, or `python -m tools.codelists --iati DIR`.

- Countries and currencies: the codes of ISO 3166-1 and ISO 4217 from pycountry (iso-codes), the names from Unicode CLDR
  through Babel.
- Sectors and goals: codes and English names from the IATI code lists Sector, SectorCategory, UNSDG-Goals and
  UNSDG-Targets, which republish the CRS purpose codes of the OECD DAC and the 2030 Agenda of the United Nations. DIR
  contains them as `Sector.tsv` and so on, with the columns `code` and `name_en`. Without DIR these lists stay.

Vietnamese names of sectors and goals are translations of this registry. They are edited in the files themselves, and
this program keeps them.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pycountry
from babel import Locale

FOLDER = Path(__file__).parents[1] / "app" / "core" / "values" / "codes"
VI = Locale("vi")
EN = Locale("en")
Row = tuple[str, str, str]  # code, English, Vietnamese


def countries() -> list[Row]:
    """Return the countries of ISO 3166-1 by their alpha-2 codes."""
    codes = sorted(country.alpha_2 for country in pycountry.countries)
    return [(code, EN.territories[code], VI.territories[code]) for code in codes]


def currencies() -> list[Row]:
    """Return the currencies of ISO 4217. A code that CLDR does not name has its English name in ISO 4217 only."""
    names = {currency.alpha_3: currency.name for currency in pycountry.currencies}
    return [(code, EN.currencies.get(code, names[code]), VI.currencies.get(code, "")) for code in sorted(names)]


def sectors(iati: Path, vietnamese: Mapping[str, str]) -> list[Row]:
    """Return the groups of three digits, each followed by its purpose codes of five digits."""
    names = _names(iati / "SectorCategory.tsv") | _names(iati / "Sector.tsv")
    return [(code, _sentence_case(names[code]), vietnamese.get(code, "")) for code in sorted(names)]


def goals(iati: Path, vietnamese: Mapping[str, str]) -> list[Row]:
    """Return the goals, each followed by its targets. A goal has its short name, which is kept from the file."""
    names = _names(iati / "UNSDG-Targets.tsv")
    short = {row[0]: row[1] for row in read("sdg")}
    codes = sorted({*names, *_names(iati / "UNSDG-Goals.tsv")}, key=_goal_order)
    return [(code, names.get(code) or short[code], vietnamese.get(code, "")) for code in codes]


def read(name: str) -> list[Row]:
    """Return the rows of a committed list."""
    with (FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return [(row[0], row[1], row[2]) for row in list(csv.reader(file, "excel-tab"))[1:]]


def write(name: str, rows: Iterable[Row]) -> None:
    """Write a list."""
    with (FOLDER / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, "excel-tab", lineterminator="\n")
        writer.writerow(("code", "en", "vi"))
        writer.writerows(rows)


def generated(iati: Path | None) -> dict[str, list[Row]]:
    """Return every list that can be made from the sources that are present."""
    lists = {"country": countries(), "currency": currencies()}
    if iati is not None:
        lists["sector"] = sectors(iati, _vietnamese("sector"))
        lists["sdg"] = goals(iati, _vietnamese("sdg"))
    return lists


def _vietnamese(name: str) -> dict[str, str]:
    return {code: vi for code, _, vi in read(name)}


def _names(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["code"]: " ".join(row["name_en"].split()) for row in csv.DictReader(file, dialect="excel-tab")}


def _sentence_case(name: str) -> str:
    """Return a name that is written in capitals in sentence case; any other name unchanged."""
    words, bracket, rest = name.partition("(")
    return words.capitalize().replace("- ", "-") + bracket + rest if words.isupper() else name


def _goal_order(code: str) -> tuple[int, int, str]:
    goal, _, target = code.partition(".")
    return int(goal), int(target) if target.isdigit() else 100 * bool(target), target


def main() -> int:
    """Write the lists and return an exit code."""
    parser = argparse.ArgumentParser(description="Write the code lists of other bodies.")
    parser.add_argument("--iati", type=Path, help="folder with the IATI code lists as tables")
    for name, rows in generated(parser.parse_args().iati).items():
        write(name, rows)
        sys.stdout.write(f"{name}: {len(rows)} codes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
