"""Clients of Hoptac registries: `Client` waits for each response, and `AsyncClient` is asynchronous.

    from hoptac_client import Client

    with Client("http://127.0.0.1:8000") as client:
        for project in client.projects(status="active"):
            print(project["id"])

Records are dictionaries whose types are in `hoptac_client.models`. Errors are subclasses of `HoptacError`.
"""

from hoptac_client.async_client import AsyncClient
from hoptac_client.client import Client
from hoptac_client.errors import (
    Conflict,
    Forbidden,
    Gone,
    HoptacError,
    Invalid,
    InvalidWebhook,
    NotFound,
    PositionMismatch,
    ProblemError,
    Rewound,
    ServerError,
    Stale,
    TooManyRequests,
    Unauthorized,
    UnexpectedResponse,
    Unreachable,
)
from hoptac_client.webhooks import verify_webhook

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "Gone",
    "HoptacError",
    "Invalid",
    "InvalidWebhook",
    "NotFound",
    "PositionMismatch",
    "ProblemError",
    "Rewound",
    "ServerError",
    "Stale",
    "TooManyRequests",
    "Unauthorized",
    "UnexpectedResponse",
    "Unreachable",
    "verify_webhook",
]
