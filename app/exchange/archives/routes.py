"""`GET /v1/export`: the whole public registry as one file."""

from fastapi import APIRouter, Request, Response

from app.core.access.clients import client_of
from app.core.errors import BadRange, NotFound, TooMany, Unavailable
from app.core.http.operations import operation
from app.exchange.archives.current import CurrentArchive
from app.exchange.archives.sending import MEDIA_TYPE, archive_response

PATH = "/v1/export"
TAG = {"name": "export", "description": "The whole public registry as one file."}
HEADERS = {
    "ETag": "Starts with the SHA-256 of the file. Send it as `If-None-Match`, or as `If-Range` with `Range`.",
    "Repr-Digest": "SHA-256 of the whole file (RFC 9530).",
    "Content-Disposition": "The name of the file, with the number of its last change.",
}
router = APIRouter(tags=["export"])


@operation(
    router,
    "GET",
    PATH,
    "Download the whole registry",
    answers={MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    headers=HEADERS,
    statuses={"200": "The archive.", "206": "The requested bytes of the archive."},
    problems=(NotFound, BadRange, TooMany, Unavailable),
)
async def export(request: Request) -> Response:
    """A ZIP file with all public records as they were after one change.

    It has a CSV and a JSON Lines file for each resource, the code lists, the history of all changes (`changes.jsonl`),
    a Data Package descriptor (`datapackage.json`), and a manifest with the SHA-256 of each file, the licence and the
    number of the last change. Follow `/v1/changes` from that number, or build an equal registry with `hoptac import`.

    The server makes an archive if it is requested and the registry has changed. A request waits for it for some
    seconds. After that it gets the latest archive that exists, or 503 with `Retry-After` if there is none. To continue
    a download, send `Range` and `If-Range`.
    """
    state = request.scope["app"].state
    if not state.settings.max_archive:
        raise NotFound("This registry does not offer an archive. Use the change feed.")
    archives: CurrentArchive = state.archives
    archive, log = await archives.open(client_of(request.scope))
    return archive_response(archive, log, dict(request.headers), state.settings.cache_control, archives.downloads)
