"""`/.well-known/`: a catalogue of the API (RFC 9727), and where to report a vulnerability (RFC 9116)."""

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI, Request, Response

from app.core.http.responses import json_response
from app.core.model.resource import RESOURCES
from app.core.public_paths import absolute
from app.core.settings import Settings
from app.core.values.json import to_json

CATALOG = "/.well-known/api-catalog"
CATALOG_TYPE = 'application/linkset+json;profile="https://www.rfc-editor.org/info/rfc9727"'
SECURITY_DAYS = 90  # for which security.txt is valid: RFC 9116 recommends less than a year


def add_fixed_paths(app: FastAPI, settings: Settings) -> None:
    """Serve the files that programs look for at fixed paths."""

    @app.get(CATALOG, include_in_schema=False)
    async def read_api_catalog(request: Request) -> Response:
        response = json_response(request, to_json(_linkset(settings)), CATALOG_TYPE)
        response.headers["Link"] = f'<{absolute(settings.public_url, CATALOG)}>; rel="api-catalog"'
        return response

    if settings.security_contact:

        @app.get("/.well-known/security.txt", include_in_schema=False)
        async def read_security_txt() -> Response:
            headers = {"Cache-Control": "public, max-age=3600"}
            return Response(_security_text(settings), headers=headers, media_type="text/plain; charset=utf-8")


def _linkset(settings: Settings) -> dict[str, Any]:
    """Return the links of the API (RFC 9264)."""
    links = {
        "service-desc": ("/openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
        "service-doc": ("/docs", "text/html"),
        "service-meta": ("/v1/catalog.jsonld", "application/ld+json"),
        "status": ("/readyz", "application/json"),
    }
    api: dict[str, Any] = {"anchor": absolute(settings.public_url, "/v1")}
    for relation, (path, media_type) in links.items():
        api[relation] = [{"href": absolute(settings.public_url, path), "type": media_type}]
    api["describedby"] = [
        {"href": absolute(settings.public_url, f"/v1/schemas/{name}.json"), "type": "application/schema+json"}
        for name in RESOURCES
    ]
    api["alternate"] = [{"href": absolute(settings.public_url, "/llms.txt"), "type": "text/plain"}]
    if find_spec("mcp") is not None:  # the extra that `/mcp` needs
        api["item"] = [{"href": absolute(settings.public_url, "/mcp"), "title": "Model Context Protocol"}]
    api["license"] = [{"href": settings.data_licence_url}]
    return {"linkset": [api]}


def _security_text(settings: Settings) -> str:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expires = (today + timedelta(days=SECURITY_DAYS)).isoformat().replace("+00:00", "Z")
    lines = [f"Contact: {settings.security_contact}", f"Expires: {expires}", "Preferred-Languages: en, vi"]
    if settings.public_url:
        lines.append(f"Canonical: {absolute(settings.public_url, '/.well-known/security.txt')}")
    return "\n".join(lines) + "\n"
