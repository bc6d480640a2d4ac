"""Styles, scripts and images of the pages: our own, and those of an installed package."""

from functools import cache
from importlib.resources import files
from mimetypes import guess_type

from fastapi import Request, Response

from app.core.errors import NotFound
from app.core.http.responses import json_response

OWN = files("app.core.http.html_pages") / "static"
SWAGGER_UI = files("fastapi_offline") / "static"
FROM_PACKAGE = ("favicon.png", "swagger-ui-bundle.js", "swagger-ui.css")


async def read_asset(request: Request, name: str) -> Response:
    """Return a file by its name."""
    content = _assets().get(name)
    if content is None:
        raise NotFound("There is no resource at this path.")
    return json_response(request, content, guess_type(name)[0] or "application/octet-stream")


@cache
def _assets() -> dict[str, bytes]:
    own = {file.name: file.read_bytes() for file in OWN.iterdir() if file.is_file()}
    return own | {name: (SWAGGER_UI / name).read_bytes() for name in FROM_PACKAGE}
