"""ETags and their content codings."""

import re

CODINGS = re.compile(r'-(?:gzip|br|zstd)(?=")')


def held(asked_tags: str, tag: str) -> str | None:
    """The tag among the asked ones that names the same representation, in whatever coding; `*` is any."""
    if asked_tags == tag:
        return tag
    plain = CODINGS.sub("", tag)
    for one in (each.strip().removeprefix("W/") for each in asked_tags.split(",")):
        if one == "*" or CODINGS.sub("", one) == plain:
            return tag if one == "*" else one
    return None
