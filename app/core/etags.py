"""Parsing and comparison of the ETags in request headers (RFC 9110, sections 8.8.3 and 13.1).

The middleware appends the content coding to the tag of a compressed response (`"361-1-gzip"`). Tags that differ only in
their coding stand for the same representation.
"""

import re
from collections.abc import Iterator

_CODING = re.compile(r'-(?:gzip|br|zstd)(?=")')
_TAG = re.compile(r'"(?P<tag>[\x21\x23-\x7e]*)"')


def without_codings(tags: str) -> str:
    """Return a header without the codings in its tags; the same object if it has none."""
    return _CODING.sub("", tags)


def tags_in(tags: str) -> Iterator[str]:
    """Yield the tags of a header, without quotes and codings.

    By RFC 9110, only strong tags satisfy If-Match. However, a proxy that compresses a response makes its tag weak, and
    the tag still identifies a version of the record. Therefore weak tags are accepted too.
    """
    return (match["tag"] for match in _TAG.finditer(without_codings(tags)))


def has_tags(tags: str) -> bool:
    """Return whether a header contains a well-formed tag."""
    return _TAG.search(tags) is not None


def is_any(tags: str) -> bool:
    """Return whether a header is `*`, which matches every representation."""
    return tags.strip() == "*"


def matches_any(tags: str, tag: str) -> bool:
    """Return whether If-None-Match contains this tag or is `*` (weak comparison)."""
    if not tags:
        return False
    plain = {item.strip().removeprefix("W/").strip('"') for item in without_codings(tags).split(",")}
    return tag in plain or "*" in plain


def matching(tags: str, quoted: str) -> str | None:
    """Return the tag in a header for the same representation as the quoted tag, as it is written there; None if absent.

    For `*`, return the quoted tag itself.
    """
    if tags == quoted:
        return quoted
    plain = without_codings(quoted)
    beginning = plain[:-1]
    for item in tags.split(","):
        candidate = item.strip().removeprefix("W/")
        if candidate == "*":
            return quoted
        if candidate.startswith(beginning) and without_codings(candidate) == plain:
            return candidate
    return None
