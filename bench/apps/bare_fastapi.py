"""The limit F: one FastAPI route that only looks up the bytes and returns them."""

from fastapi import FastAPI, Request, Response

from bench.apps.answers import answers

FIXED = answers()
app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/{path:path}")
async def fixed(request: Request) -> Response:
    stored = FIXED[request.scope["raw_path"] + b"?" + request.scope["query_string"]]
    tag = stored.tag.decode()
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(stored.body, media_type="application/json", headers={"etag": tag})
