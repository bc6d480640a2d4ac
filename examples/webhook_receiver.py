"""Receive webhooks of a Hoptac registry, check their signature, and process each event once.

    HOPTAC_WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py --port 8100

The signature is that of Standard Webhooks 1.0: an HMAC-SHA256 over `id.timestamp.body`. Events are delivered at least
once, and those of one record in order, so a repeated id is answered and not processed again. An event does not contain
the record: read it from the registry.
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

TOLERANCE = 300  # maximum difference between a timestamp and the clock, in seconds
MAX_IDS = 100_000  # a real receiver stores the ids in its database, in the transaction that processes the event

app = FastAPI()
secret = base64.b64decode(os.environ.get("HOPTAC_WEBHOOK_SECRET", "").removeprefix("whsec_"))
seen: OrderedDict[str, None] = OrderedDict()  # the ids of the latest events, the oldest first


def is_genuine(event_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Return whether one of the signatures is recent and made with our secret. During a rotation there are two."""
    if not secret or not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    signature = hmac.digest(secret, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(signature).decode()
    return any(hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in signatures.split())


@app.post("/", status_code=204)
async def receive(request: Request) -> None:
    """Answer at once. Put slow work into a queue, because the registry repeats a request that takes too long."""
    body = await request.body()
    event_id = request.headers.get("webhook-id", "")
    timestamp = request.headers.get("webhook-timestamp", "")
    signatures = request.headers.get("webhook-signature", "")
    if not is_genuine(event_id, timestamp, signatures, body):
        raise HTTPException(401)
    if event_id in seen:
        return
    seen[event_id] = None
    while len(seen) > MAX_IDS:
        seen.popitem(last=False)
    event = json.loads(body)
    print(event["type"], json.dumps(event["data"], ensure_ascii=False), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    if not secret:
        parser.error("HOPTAC_WEBHOOK_SECRET is not set. The response to the creation of a webhook has the secret.")
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")
