"""ETags in the headers of requests: how lists of them are read and compared (RFC 9110, 8.8.3 and 13.1).

The middleware appends the content coding to the tag of a coded response (`"361-1-gzip"`). Tags that differ in their
coding alone name the same representation.
"""

import re
from collections.abc import Iterator

_CODING = re.compile(r'-(?:gzip|br|zstd)(?=")')
_TAG = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e]*)"')


def without_codings(tags: str) -> str:
    """The header with every tag as the application made it; the same object if there is nothing to take off."""
    return _CODING.sub("", tags)


def strong_tags(tags: str) -> Iterator[str]:
    """The tags of a header that can satisfy If-Match, without quotes and codings."""
    for match in _TAG.finditer(without_codings(tags)):
        if not match["weak"]:
            yield match["tag"]


def has_tags(tags: str) -> bool:
    """Whether a header holds at least one well-formed tag."""
    return _TAG.search(tags) is not None


def is_any(tags: str) -> bool:
    """Whether a header is `*`, which names any representation."""
    return tags.strip() == "*"


def names(tags: str, tag: str) -> bool:
    """Whether If-None-Match names the representation with this tag (weak comparison); `*` names any."""
    if not tags:
        return False
    plain = {item.strip().removeprefix("W/").strip('"') for item in without_codings(tags).split(",")}
    return tag in plain or "*" in plain


def matching(tags: str, quoted: str) -> str | None:
    """The tag of a header that names the same representation as this one, as the header has it, or this one for `*`."""
    if tags == quoted:
        return quoted
    plain = without_codings(quoted)
    for item in tags.split(","):
        candidate = item.strip().removeprefix("W/")
        if candidate == "*":
            return quoted
        if without_codings(candidate) == plain:
            return candidate
    return None
