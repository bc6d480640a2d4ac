"""The contract of this registry: the OpenAPI document, with the parts that depend on the settings.

The document is written once, by `make contract`, and stored in the package. Writing it anew in each process took 2
seconds, in which the process could answer nothing else.
"""

import json
from importlib.resources import files
from typing import Any

from app.core.public_paths import public
from app.core.settings import Settings

STORED = files("app") / "openapi.json"  # a link to the file at the top of the repository; a wheel contains the file
GETTING_STARTED = files("app.core.http.html_pages") / "getting_started.md"

NO_CONTACT_TEXT = "Ask the operator of this registry."


def stored_contract(settings: Settings, version: str) -> dict[str, Any]:
    """Return the stored document with the parts of this registry."""
    document: dict[str, Any] = json.loads(STORED.read_text("utf-8"))
    return document | {"info": info(settings, version), "servers": servers()}


def info(settings: Settings, version: str) -> dict[str, Any]:
    """Return what the document says about the registry as a whole."""
    described: dict[str, Any] = {
        "title": settings.site_name,
        "summary": "Evidence for every figure of international cooperation.",
        "description": getting_started(settings),
        "license": {"name": f"Data: {settings.data_licence}", "url": settings.data_licence_url},
        "version": version,
    }
    if settings.contact:
        described["contact"] = _contact(settings.contact)
    return described


def servers() -> list[dict[str, str]]:
    """Return the server that the paths of the document belong to."""
    return [{"url": public("") or "/", "description": "This server."}]


def getting_started(settings: Settings) -> str:
    """Return the introduction, as Markdown."""
    text = GETTING_STARTED.read_text("utf-8")
    contact = f"Write to <{settings.contact}>." if settings.contact else NO_CONTACT_TEXT
    base = settings.public_url or f"http://127.0.0.1:8000{public('')}"
    for name, value in (("root", public("")), ("base", base), ("contact", contact)):
        text = text.replace(f"{{{name}}}", value)
    return text


def _contact(address: str) -> dict[str, str]:
    return {"url": address} if address.startswith("http") else {"email": address}
