"""Secrets and signatures of Standard Webhooks: https://www.standardwebhooks.com says how they are made."""

import base64
import hashlib
import hmac
import secrets

PREFIX, SECRET_BYTES = "whsec_", 32


def new_secret() -> str:
    """A secret as subscribers get it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, timestamp and body in base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix(PREFIX)), signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()
