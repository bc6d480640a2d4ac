"""Receives webhooks of a Hoptac registry: checks who sent them, and takes each event once.

    HOPTAC_WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py --port 8100

The signature is that of Standard Webhooks 1.0: an HMAC-SHA256 over `id.timestamp.body`. Events come at least once, those
of one record in order, so an id seen before is answered and forgotten. The event is thin: what changed is read from the
registry.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import time
from collections import OrderedDict

import uvicorn
from fastapi import FastAPI, HTTPException, Request

TOLERANCE = 300  # seconds that a timestamp may be off
REMEMBERED = 100_000  # ids; a real receiver keeps them in its database, in the transaction of their effect

app = FastAPI()
secret = base64.b64decode(os.environ.get("HOPTAC_WEBHOOK_SECRET", "").removeprefix("whsec_"))
seen: OrderedDict[str, None] = OrderedDict()


def is_genuine(event: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Whether one of the signatures is made with our secret, lately; while secrets rotate there are two."""
    if not secret or not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    made = hmac.digest(secret, f"{event}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(made).decode()
    return any(hmac.compare_digest(expected.encode(), each.encode()) for each in signatures.split())


@app.post("/", status_code=204)
async def receive(request: Request) -> None:
    """Answer at once: slow work belongs in a queue, or the sender tries again."""
    body = await request.body()
    event = request.headers.get("webhook-id", "")
    timestamp, signatures = (request.headers.get(f"webhook-{name}", "") for name in ("timestamp", "signature"))
    if not is_genuine(event, timestamp, signatures, body):
        raise HTTPException(401)
    if event in seen:
        return
    seen[event] = None
    while len(seen) > REMEMBERED:
        seen.popitem(last=False)
    told = json.loads(body)
    print(told["type"], json.dumps(told["data"], ensure_ascii=False), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8100)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
