"""The manifest of a reconciliation service, and the preview of a record."""

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from app import __version__
from app.core.model.resource import Resource
from app.core.public_paths import public
from app.exchange.reconciliation.candidates import TYPES, JsonRecord, described
from app.exchange.reconciliation.matching import COUNTRY, DATE
from app.exchange.reconciliation.queries import MAX_QUERIES

PATH = "/v1/reconcile"
VERSIONS = ["0.2"]
GUIDE = "/guides/clients"
PREVIEW_SIZE = {"width": 420, "height": 180}
# Properties that make a match certain, by resource.
PROPERTIES = {
    "partners": {COUNTRY: "Country (its name, its code or a place)"},
    "places": {DATE: "Date on which the place existed"},
}
# Other sites show the preview in a frame. It loads nothing and runs nothing.
PREVIEW_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *; sandbox allow-popups"


def manifest(resource: Resource, site_name: str, base: str) -> dict[str, Any]:
    """Return the description of the service. `base` is the address of the registry without its path."""
    root = f"{base}{public('')}"
    service = f"{root}{PATH}/{resource.name}"
    return {
        "versions": VERSIONS,
        "name": f"{site_name}: {resource.name}",
        "identifierSpace": f"{root}/v1/{resource.name}/",
        "schemaSpace": f"{root}/v1/schemas/{resource.name}.json",
        "documentation": f"{root}{GUIDE}",
        "serviceVersion": __version__,
        "view": {"url": f"{root}/{resource.name}/{{{{id}}}}"},
        "preview": {"url": f"{service}/preview?id={{{{id}}}}", **PREVIEW_SIZE},
        "defaultTypes": [{"id": resource.name, "name": resource.name.capitalize()}, *_types(resource)],
        "suggest": {
            "entity": {"service_url": service, "service_path": "/suggest/entity"},
            "property": {"service_url": service, "service_path": "/suggest/property"},
        },
        "extend": {
            "propose_properties": {"service_url": service, "service_path": "/extend/propose"},
            "property_settings": [],
        },
        "batchSize": MAX_QUERIES // 2,
    }


def _types(resource: Resource) -> list[dict[str, str]]:
    _, codes = TYPES[resource.name]
    return [{"id": code, "name": labels.en} for code, labels in codes.codes.items()]


def properties(resource: Resource, prefix: str) -> dict[str, Any]:
    """Return the properties whose ids or names contain a text."""
    named = PROPERTIES[resource.name].items()
    return {"result": [{"id": pid, "name": name} for pid, name in named if prefix.lower() in f"{pid} {name}".lower()]}


def preview(resource: Resource, record: JsonRecord, places: Mapping[str, JsonRecord], base: str) -> str:
    """Return a small page about a record, with a link to its whole page."""
    named = described(resource, record, places)
    others = [text for text in record["name"].values() if text != named["name"]]
    lines = [named["description"], *others, *list((record.get("description") or {}).values())[:1]]
    texts = "".join(f"<p>{escape(line[:300])}</p>" for line in lines if line)
    link = escape(f"{base}{public('')}/{resource.name}/{quote(record['id'])}")
    style = "body{font:14px/1.4 system-ui,sans-serif;margin:.7em}p,h1{margin:0 0 .3em}h1{font-size:16px}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(named["name"])}</title>'
        f'<style>{style}</style><h1><a href="{link}" target="_blank" rel="noopener">{escape(named["name"])}</a></h1>'
        f"{texts}</html>"
    )
