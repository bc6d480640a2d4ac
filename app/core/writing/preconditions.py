"""Conditional writes: If-Match and If-None-Match."""

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session

from app.core.change_log import CHANGES
from app.core.errors import BadRequest, NoCondition, Stale
from app.core.etags import has_tags, is_any, matches_any, tags_in
from app.core.writing.representation import StoredRecord

# The tag of a response that was made from several records (`ReadRequest.tag`): the last Change at that time, the
# rendering, and a hash of the request.
_RESULT_TAG = re.compile(r"(?P<last>\d{1,18})-(?P<chain>[0-9a-f]{8})-(?P<rendering>\d+)-[0-9a-f]{16}")


@dataclass(frozen=True)
class Conditions:
    """The If-Match and If-None-Match headers of a write. An absent header is an empty string."""

    if_match: str = ""
    if_none_match: str = ""

    def check(self, session: Session, present: StoredRecord | None) -> None:
        """Raise Stale if the record does not satisfy the headers, and BadRequest if they have no ETag.

        If-Match may also have the ETag of a response that was made from several records, such as a list, or from some
        fields of the record. The record must not have changed since then.
        """
        for header in (self.if_match, self.if_none_match):
            if header and not is_any(header) and not has_tags(header):
                raise BadRequest("If-Match and If-None-Match take ETags in quotes, or *.")
        if present is None:
            if self.if_match:
                raise Stale
        elif (self.if_match and not self._matches(session, present)) or matches_any(self.if_none_match, present.tag):
            detail = (
                f'The record does not satisfy If-Match or If-None-Match. Its present ETag is "{present.tag}". Read it '
                "again."
            )
            raise Stale(detail, headers={"ETag": f'"{present.tag}"'})

    def require(self) -> None:
        """Raise NoCondition if there is no If-Match header."""
        if not self.if_match:
            raise NoCondition

    def _matches(self, session: Session, present: StoredRecord) -> bool:
        """Return whether If-Match has the tag of the record or of a response that contained this version of it."""
        if is_any(self.if_match):
            return True
        return any(tag == present.tag or _is_since(session, tag, present) for tag in tags_in(self.if_match))


UNCONDITIONAL = Conditions()


def _is_since(session: Session, tag: str, present: StoredRecord) -> bool:
    """Return whether a tag is that of a response from several records, made since the last Change of this record."""
    match = _RESULT_TAG.fullmatch(tag)
    if match is None or match["rendering"] != str(present.rendering):
        return False
    last = int(match["last"])
    if last < int(present.change.partition("-")[0]):
        return False
    # A restored database may have another Change with this number.
    chain = session.scalar(select(CHANGES.c.chain).where(CHANGES.c.sequence == last)) or ""
    return chain.startswith(match["chain"])
