"""The keys by which a cache in front of the server deletes responses: what a response depends on."""

from collections.abc import Iterable

REGISTRY = "registry"  # the key of every response
CHANGES = "changes"  # the key of each response that may depend on any record
HEADER = b"surrogate-key"

# Seconds after which a response gets no keys: what it shows may have been deleted before it arrives in the cache.
MAX_MAKING = 5.0


def key_of_record(resource: str, record_id: str) -> str:
    """Return the key of the responses that depend on a record."""
    return f"{resource}/{record_id}"


def keys_of_change(resource: str, record_id: str, public_action: str | None) -> tuple[str, ...]:
    """Return the keys of all responses that may be different after a Change of a record.

    The Change of a draft has no public action. It alters no response that shows records, but the feed says how far the
    log is.
    """
    return (CHANGES,) if public_action is None else (key_of_record(resource, record_id), resource, CHANGES)


def in_header(keys: Iterable[str]) -> bytes:
    """Return the value of the header `Surrogate-Key`."""
    return " ".join(keys).encode()
