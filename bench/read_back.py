"""The files of `bench.validate`, opened with other programs; `make validate` runs it in `bench/readers/.venv`.

pandas reads the tables, GeoPandas (which has GDAL) the maps, DuckDB the tables and Parquet files, and openpyxl and
calamine the workbooks. Each must find as many rows, ids and points as the JSON Lines have.
"""

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import openpyxl
import pandas


def frames_of(folder: Path, name: str) -> dict[str, Any]:
    """Return the ids in each format of a list, as each program reads them."""
    sheet = folder / f"{name}.xlsx"
    parquet = folder / f"{name}.parquet"
    ids = {
        "pandas, CSV": pandas.read_csv(folder / f"{name}.csv", low_memory=False)["id"],
        "pandas, JSON Lines": pandas.read_json(folder / f"{name}.jsonl", lines=True)["id"],
        "pandas, Parquet": pandas.read_parquet(parquet)["id"],
        "calamine": pandas.read_excel(sheet, engine="calamine")["id"],
        "DuckDB, Parquet": duckdb.execute(f"select id from '{parquet}'").df()["id"],
        "DuckDB, CSV": duckdb.execute(f"select id from '{folder / name}.csv'").df()["id"],
    }
    rows = openpyxl.load_workbook(sheet, read_only=True)[name].iter_rows(min_row=2, max_col=1, values_only=True)
    ids["openpyxl"] = pandas.Series([row[0] for row in rows])
    return ids


def check_table(folder: Path, name: str) -> int:
    """Compare the ids of a list, and the days and numbers that have types. Return the number of records."""
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    expected = [record["id"] for record in records]
    for program, ids in frames_of(folder, name).items() if expected else ():
        assert list(ids) == expected, (name, program)
    return len(expected)


def check_map(path: Path) -> int:
    """Compare the points of a map with the file as JSON. Return the number of features."""
    features = json.loads(path.read_text("utf-8"))["features"]
    frame = geopandas.read_file(path)
    assert str(frame.crs) == "EPSG:4326", frame.crs
    assert len(frame) == len(features)
    assert list(frame.geometry.notna()) == [feature["geometry"] is not None for feature in features]
    return len(features)


def main() -> None:
    folder = Path(sys.argv[1])
    for path in sorted(folder.glob("*.jsonl")):
        print(f"{path.stem}: {check_table(folder, path.stem):,} records", flush=True)
    for path in sorted(folder.glob("*.geojson")):
        print(f"{path.name}: {check_map(path):,} features", flush=True)


if __name__ == "__main__":
    main()
