"""`datapackage.json` of an archive: a Data Package (version 2) with the meaning of each file and column."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from app.core.model.resource import RESOURCES
from app.exchange.archives.description import Description, State
from app.exchange.archives.table_schema import SCHEMA, table_schema
from app.exchange.archives.zip_file import FileFacts

PACKAGE = "https://datapackage.org/profiles/2.0/datapackage.json"
PACKAGE_TEXT = (
    "All public records of the registry, as they were after one change. Each resource is a table; the file of JSON "
    "Lines beside it has the same records with all members. changes.jsonl has every change, from which "
    "`hoptac import` builds an equal registry. manifest.json lists all files with their SHA-256."
)
TABLE_TEXT = (
    "{about} One row for each record. Lists of ids and codes have a semicolon and a space between the items, and lists "
    "of objects are JSON. Texts that a spreadsheet program would run as a formula begin with an apostrophe."
)
CODES = "codelists"
CODE_COLUMNS = ("list", "code", "label_en", "label_vi", "parent", "iati")
CODES_TEXT = "The codes that values can have, with their labels."


def data_package(description: Description, state: State, files: Iterable[FileFacts]) -> dict[str, Any]:
    """Return the descriptor of the tables in an archive with these files.

    JSON Lines are left out: the validator of Data Packages reads them only with an extra, and reports them as errors
    without it.
    """
    package: dict[str, Any] = {
        "$schema": PACKAGE,
        "name": "registry",
        "title": description.name,
        "description": PACKAGE_TEXT,
        "version": str(state.sequence),
        "licenses": [{"name": description.licence, "path": description.licence_url}],
        "contributors": [{"title": description.name, "roles": ["publisher"], **_contact(description.contact)}],
        "resources": [_table(facts) for facts in files if facts.path.endswith(".csv")],
    }
    if state.at:
        package["created"] = state.at
    if description.url:
        package["homepage"] = description.url
    return package


def _contact(contact: str) -> dict[str, str]:
    if not contact:
        return {}
    return {"path" if "://" in contact else "email": contact}


def _table(facts: FileFacts) -> dict[str, Any]:
    stem = PurePosixPath(facts.path).stem
    is_codes = stem == CODES
    return {
        "name": stem,
        "type": "table",
        "path": facts.path,
        "title": stem.capitalize(),
        "description": CODES_TEXT if is_codes else TABLE_TEXT.format(about=RESOURCES[stem].about),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": facts.bytes,
        "hash": f"sha256:{facts.sha256}",
        "schema": code_schema() if is_codes else table_schema(RESOURCES[stem]),
    }


def code_schema() -> dict[str, Any]:
    """Return the Table Schema of the code lists."""
    fields: list[dict[str, Any]] = [{"name": name, "type": "string"} for name in CODE_COLUMNS]
    for field in fields[:2]:
        field["constraints"] = {"required": True}
    return {"$schema": SCHEMA, "fields": fields, "primaryKey": ["list", "code"], "missingValues": [""]}
