"""Each export of a registry, checked by the validator of its standard: `python -m bench.validate FOLDER`.

It writes the files to a new folder, where `read_back.py` opens them with other programs, and prints a line for each
check. The registry is that of `--url`, or else has 10,000 generated projects, which takes some minutes. The files of
IATI are checked only where the official schemas are present.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import frictionless
import geojson
import jsonschema
import pyshacl
from lxml import etree
from rdflib import Graph
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.database.engine import Database
from app.core.settings import Settings
from app.exchange.archives.description import Description
from app.exchange.archives.making import export_archive
from app.exchange.exports.geojson import has_points
from bench.data import Data
from bench.processes import ROOT
from tests.support.http import client_of, get
from tests.support.iati import STANDARD, parsed

SUPPORT = ROOT / "tests" / "support"
PROJECTS = 10_000
SAMPLE = 500  # records of a resource that are compared with its JSON Schema, which is slow
MAX_ROWS = 100_000  # of a workbook
BASE = "http://hoptac.test"


class Checks:
    """The checks of one registry."""

    def __init__(self, client: TestClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self.failed: list[str] = []

    def run(self, name: str, check: Callable[[], object]) -> None:
        """Run a check and print a line."""
        began = time.monotonic()
        try:
            result = check()
        except Exception as error:  # the other checks still run
            self.failed.append(name)
            result = f"FAILED: {type(error).__name__}: {str(error)[:2_000]}"
        print(f"{name}: {result} ({time.monotonic() - began:.0f} s)", flush=True)

    def fetch(self, path: str) -> Path:
        """Write a file to the folder."""
        target = self._folder / path.rpartition("/")[2].partition("?")[0]
        response = self._client.get(path)
        assert response.status_code == 200, (path, response.status_code, response.text[:500])
        target.write_bytes(response.content)
        return target

    def archive(self, url: str) -> str:
        """Check the archive as a Data Package."""
        path = self._folder / "archive.zip"
        with Database(url) as database:
            export_archive(database, path, Description.of(Settings(database_url=url)))
        report = frictionless.validate(str(path))
        assert report.valid, report.flatten(["name", "rowNumber", "fieldName", "message"])[:20]
        return f"{len(report.tasks)} tables"

    def table(self, name: str) -> str:
        """Check that all formats of a list have the same rows."""
        lines = self.fetch(f"/v1/{name}.jsonl").read_bytes().splitlines()
        count = len(lines)
        text = self.fetch(f"/v1/{name}.csv")
        report = frictionless.Resource(path=text.name, basepath=str(self._folder)).validate(limit_errors=20)
        assert report.valid, report.flatten(["rowNumber", "message"])[:20]
        parquet = self.fetch(f"/v1/{name}.parquet")
        tables = [f"read_csv('{text}', all_varchar=true, header=true)", f"'{parquet}'"]
        counts = [duckdb.execute(f"select count(*), count(distinct id) from {table}").fetchall()[0] for table in tables]
        assert counts == [(count, count)] * 2, (count, counts)
        if count <= MAX_ROWS:
            self.fetch(f"/v1/{name}.xlsx")
        schema = get(self._client, f"/v1/schemas/{name}.json")
        validator = jsonschema.Draft202012Validator(schema)
        for line in lines[:: max(count // SAMPLE, 1)]:
            validator.validate(json.loads(line))
        return f"{count:,} records"

    def features(self, name: str) -> str:
        """Check a GeoJSON file."""
        collection = geojson.loads(self.fetch(f"/v1/{name}.geojson").read_text("utf-8"))
        assert collection.errors() == [], collection.errors()[:20]
        return f"{len(collection.features):,} features"

    def iati(self, name: str) -> str:
        """Check an IATI file by the schemas, the rules and the code lists of the standard."""
        root = parsed(self.fetch(f"/v1/iati/{name}.xml").read_bytes())
        return f"{len(root.xpath('iati-activity|iati-organisation')):,} units"

    def linked_data(self, path: str, shapes: str) -> str:
        """Check JSON-LD by shapes."""
        content = get(self._client, path)
        if content["@context"] == "http://www.w3.org/ns/anno.jsonld":
            content["@context"] = json.loads((SUPPORT / "anno_context.json").read_text("utf-8"))
        graph = Graph().parse(data=json.dumps(content), format="json-ld", publicID=f"{BASE}{path}")
        is_valid, _, report = pyshacl.validate(graph, shacl_graph=str(SUPPORT / shapes), shacl_graph_format="turtle")
        assert is_valid, report
        return f"{len(graph):,} statements"

    def evidence(self, name: str) -> str:
        """Check the annotations and the provenance of some records."""
        items = get(self._client, f"/v1/{name}?limit=5&sort=-updated_at")["items"]
        for item in items:
            path = f"/v1/{name}/{item['id']}"
            self.linked_data(f"{path}/evidence.jsonld", "web_annotation.ttl")
            self.linked_data(f"{path}/provenance.jsonld", "prov_o.ttl")
        return f"{len(items)} records"

    def feed(self) -> str:
        """Fetch the calendar and the Atom feed."""
        self.fetch("/timeline.ics")
        root = etree.parse(self.fetch("/changes.atom")).getroot()
        return f"{len(root)} elements of the feed"


def _generated() -> str:
    """Return a database with generated projects."""
    data = Data(ROOT / "bench" / ".data", PROJECTS)
    data.make(peers=False)
    return f"sqlite:///{data.ours}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="a database, whose files are checked")
    options = parser.parse_args()
    url = options.url or _generated()
    options.folder.mkdir()
    with client_of(url) as client:
        checks = Checks(client, options.folder)
        names = [resource.name for resource in RESOURCES]
        for name in names:
            checks.run(f"{name} as tables", partial(checks.table, name))
            checks.run(f"evidence of {name}", partial(checks.evidence, name))
        for resource in RESOURCES:
            if has_points(resource):
                checks.run(f"{resource.name} as GeoJSON", partial(checks.features, resource.name))
        checks.run("catalogue", partial(checks.linked_data, "/v1/catalog.jsonld", "dcat_ap.ttl"))
        checks.run("calendar and feed", checks.feed)
        for name in ("organisations", "activities") if STANDARD.exists() else ():
            checks.run(f"IATI {name}", partial(checks.iati, name))
        checks.run("archive", partial(checks.archive, url))
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
