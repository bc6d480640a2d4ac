"""`/oembed?url=…`: the card of a project for the pages of others (https://oembed.com)."""

import json
from html import escape
from urllib.parse import parse_qsl

from app.core.public_paths import public
from app.core.values.urls import url_parts
from app.explorer.languages import DEFAULT, chosen_language
from app.explorer.page_reads import read_record
from app.explorer.reads import PublicReads, ReadFailed
from app.explorer.rendering import JSON, Content
from app.explorer.view import View

WIDTH = 640
HEIGHT = 420
MIN_SIZE = 200
NO_CARD = {
    "status": 404,
    "title": "Not found",
    "detail": "There is a card only of the page of a project.",
    "errors": [],
}


async def project_card(view: View, reads: PublicReads) -> Content:
    """Return the card of the project whose page is at `url`."""
    query = dict(view.query)
    target = url_parts(query.get("url", ""))
    steps = target.path.removeprefix(public("")).strip("/").split("/")
    if len(steps) != 2 or steps[0] != "projects" or not steps[1]:
        raise ReadFailed(404, NO_CARD, "")
    language = chosen_language(dict(parse_qsl(target.query)).get("lang", DEFAULT))
    record = await read_record(reads, view, "projects", steps[1], "documents")
    texts = [text for text in view.title_of(record) if text.language == language] or view.title_of(record)
    width = _size(query.get("maxwidth"), WIDTH)
    height = _size(query.get("maxheight"), HEIGHT)
    source = view.address(f"/projects/{steps[1]}/embed", language)
    title = texts[0].text
    frame = f'<iframe src="{escape(source)}" width="{width}" height="{height}" title="{escape(title)}"></iframe>'
    card = {
        "version": "1.0",
        "type": "rich",
        "title": title,
        "provider_name": view.site,
        "provider_url": view.address("/"),
        "author_name": f"{view.site}, {view.licence}",
        "author_url": view.address(f"/projects/{steps[1]}", language),
        "html": frame,
        "width": width,
        "height": height,
    }
    return Content("", {}, media_type=JSON, text=json.dumps(card, ensure_ascii=False))


def _size(requested: str | None, default: int) -> int:
    """Return a requested size in pixels, if it is smaller than the default."""
    if requested is None or not (requested.isascii() and requested.isdigit() and len(requested) < 6):
        return default
    return max(MIN_SIZE, min(int(requested), default))
