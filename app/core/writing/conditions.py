"""If-Match and If-None-Match."""

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session

from app.core.errors import BadRequest, NoCondition, Stale
from app.core.log import CHANGES
from app.core.tags import CODINGS
from app.core.writing.representation import Stored

# That of what is made of several records (Asked.tag): the last Change then, rendering, and what was asked.
_MADE_TAG = re.compile(r"(?P<last>\d{1,18})-(?P<chain>[0-9a-f]{8})-(?P<rendering>\d+)-[0-9a-f]{16}")

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


@dataclass(frozen=True)
class Conditions:
    """If-Match and If-None-Match of a write; empty where absent."""

    if_match: str = ""
    if_none_match: str = ""

    def check(self, session: Session, present: Stored | None) -> None:
        """Stale when the record is not as the conditions say.

        If-Match may name an answer that was made of several records, or cut: the record must be as it was then.
        """
        tag = present.tag if present else None
        if self.if_match and not _names(self.if_match, tag, strong=True) and not self._has_seen(session, present):
            raise Stale
        if self.if_none_match and _names(self.if_none_match, tag, strong=False):
            raise Stale

    def _has_seen(self, session: Session, present: Stored | None) -> bool:
        """Whether If-Match names an answer made when the record was as it is."""
        for weak, tag in _TAG.findall(CODINGS.sub("", self.if_match)) if present else ():
            made = None if weak else _MADE_TAG.fullmatch(tag)
            if present and made and made["rendering"] == str(present.rendering):
                last = int(made["last"])
                chain = session.scalar(select(CHANGES.c.chain).where(CHANGES.c.sequence == last)) or ""
                if last >= int(present.change.partition("-")[0]) and chain.startswith(made["chain"]):
                    return True
        return False

    def require(self) -> None:
        """NoCondition unless If-Match says what is to be changed."""
        if not self.if_match:
            raise NoCondition


UNCONDITIONAL = Conditions()


def _names(tags: str, tag: str | None, *, strong: bool) -> bool:
    """Whether a list of tags names this one, in whatever coding; `*` names any, a weak tag is no strong one."""
    if tags.strip() == "*":
        return tag is not None
    found = _TAG.findall(CODINGS.sub("", tags))
    if not found:
        raise BadRequest("If-Match and If-None-Match take ETags in quotes, or *.")
    return any(each == tag for weak, each in found if not (strong and weak))
