"""If-Match and If-None-Match."""

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session

from app.core.errors import BadRequest, NoCondition, Stale
from app.core.log import CHANGES
from app.core.tags import has_tags, is_any, names, strong_tags
from app.core.writing.representation import StoredRecord

# That of what is made of several records (Asked.tag): the last Change then, rendering, and what was asked.
_RESULT_TAG = re.compile(r"(?P<last>\d{1,18})-(?P<chain>[0-9a-f]{8})-(?P<rendering>\d+)-[0-9a-f]{16}")


@dataclass(frozen=True)
class Conditions:
    """If-Match and If-None-Match of a write; empty where absent."""

    if_match: str = ""
    if_none_match: str = ""

    def check(self, session: Session, present: StoredRecord | None) -> None:
        """Stale when the record is not as the conditions say.

        If-Match may name an answer that was made of several records, or cut: the record must be as it was then.
        """
        for header in (self.if_match, self.if_none_match):
            if header and not is_any(header) and not has_tags(header):
                raise BadRequest("If-Match and If-None-Match take ETags in quotes, or *.")
        if self.if_match and (present is None or not self._matches(session, present)):
            raise Stale
        if present is not None and names(self.if_none_match, present.tag):
            raise Stale

    def _matches(self, session: Session, present: StoredRecord) -> bool:
        """Whether If-Match names the record as it is, or an answer made when the record was as it is."""
        if is_any(self.if_match):
            return True
        return any(tag == present.tag or _has_seen(session, tag, present) for tag in strong_tags(self.if_match))

    def require(self) -> None:
        """NoCondition unless If-Match says what is to be changed."""
        if not self.if_match:
            raise NoCondition


UNCONDITIONAL = Conditions()


def _has_seen(session: Session, tag: str, present: StoredRecord) -> bool:
    """Whether a tag is of an answer made of several records when this one was as it is."""
    made = _RESULT_TAG.fullmatch(tag)
    if made is None or made["rendering"] != str(present.rendering):
        return False
    last = int(made["last"])
    if last < int(present.change.partition("-")[0]):
        return False
    chain = session.scalar(select(CHANGES.c.chain).where(CHANGES.c.sequence == last)) or ""
    return chain.startswith(made["chain"])
