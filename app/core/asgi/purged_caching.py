"""Headers for a cache in front of the server from which changed responses are deleted."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from app.core.model.resource import RESOURCES
from app.core.values.cache_keys import CHANGES, HEADER, MAX_MAKING, REGISTRY, keys_of_change

PARTS_OF_RECORD = 2  # of a path, after /v1/: projects/green-ports
IN_BACKGROUND = ("/v1/export",)  # files that are made anew some time after a Change

Headers = list[tuple[bytes, bytes]]


class PurgedCaching:
    """The headers for such a cache. Other caches follow `Cache-Control`, of which `cache_control` is the public value.

    `max_age` is for how many seconds the cache may use a response, and `stale` for how many more while it fetches it
    anew.
    """

    def __init__(self, cache_control: str, max_age: int, stale: int) -> None:
        self._public = cache_control.encode()
        lifetime = b"max-age=%d, stale-while-revalidate=%d" % (max_age, stale)
        self._lifetime = [(b"surrogate-control", lifetime), (b"cdn-cache-control", b"public, " + lifetime)]

    def headers(self, path: str, status: int, values: Mapping[bytes, bytes], seconds: float) -> Headers:
        """Return the headers of a response to a request without a key, from its other headers and how long it took.

        There are none if the cache may not keep it: it is not public or not complete, or it has no ETag, so that it
        depends on more than the log.
        """
        is_complete = status == 304 or (status == 200 and b"content-length" in values)
        is_public = values.get(b"cache-control") == self._public and b"etag" in values
        if not is_complete or not is_public or path in IN_BACKGROUND or seconds > MAX_MAKING:
            return []
        keys = [REGISTRY.encode(), *values.get(HEADER, CHANGES.encode()).split()]
        return [
            (HEADER, b" ".join(keys)),
            (b"cache-tag", b",".join(keys)),
            (b"cache-groups", _list_of(keys)),
            *self._lifetime,
            (b"vary", b"Hoptac-At-Least"),  # asks for a state that a response in the cache may not have
        ]

    def invalidation(self, path: str, status: int, location: str = "") -> Headers:
        """Return the header of the response to a write: what the cache deletes at once if the write passes through it.

        `location` is the header of this name, which has the path of a record that the write has created.
        """
        parts = (location or path).partition("/v1/")[2].split("/")
        if status >= HTTPStatus.BAD_REQUEST or len(parts) < PARTS_OF_RECORD or parts[0] not in RESOURCES:
            return []
        keys = keys_of_change(parts[0], parts[1], "update")
        return [(b"cache-group-invalidation", _list_of(map(str.encode, keys)))]


def _list_of(keys: Iterable[bytes]) -> bytes:
    """Return a list of strings as a structured field (RFC 9651)."""
    return b", ".join(b'"%s"' % key for key in keys)
