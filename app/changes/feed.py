"""The change feed: what everyone sees of each Change, in the order of commits, and what proves that none is missing.

It is the same for everyone. A draft's Change is not in it; who verifies the chain is told its number and entry alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, and_, bindparam, case, literal_column, or_, select

from app.core.database.sql import one_of, unindexed, utf8
from app.core.database.statements import Query, Read
from app.core.errors import Rewound
from app.core.log import CHANGES, REDACTIONS, chain_entry_of
from app.core.reading.results import ReadRequest, ReadResult
from app.core.values.json import to_json
from app.core.writing.representation import partners_of

PATH = "/v1/changes"
SCANNED = 4_000  # Changes that a page looks at, at most, to find those that are asked for
ROWS_OF_ROUND = 50  # representations fetched at once
MAX_PAGE_BYTES = 4_000_000  # bytes after which a page ends
HEAD = 8  # characters of a chain value that `next` carries: as many as in a tag

C = CHANGES.c


class FeedRow(NamedTuple):
    """A Change as it is stored, its representation in bytes (None: of a draft, or one that a mirror was not given)."""

    sequence: int
    at: str
    actor: str
    action: str
    resource: str
    record_id: str
    version: int
    shown: str | None
    digest: str
    salt: str | None
    redacted: int | None
    chain: str
    body: bytes | None


_COLUMNS = [C[name] for name in FeedRow._fields if name != "body"]
_FEED_ROWS = select(*_COLUMNS, case((C.shown.is_not(None), utf8(C.body))))
_LAST = Query(select(C.sequence, C.chain).order_by(C.sequence.desc()).limit(literal_column("1")))
_LOG = Query(select(REDACTIONS.c.reason, REDACTIONS.c.digests).where(REDACTIONS.c.change == bindparam("sequence")))
_CHAIN = Query(select(C.chain).where(C.sequence == bindparam("sequence")))
_BEFORE = Query(
    _FEED_ROWS.where(
        C.resource == bindparam("resource"),
        C.record_id == bindparam("id"),
        C.sequence < bindparam("sequence"),
        C.shown.is_not(None),
    )
    .order_by(C.sequence.desc())
    .limit(literal_column("1"))
)


@dataclass(frozen=True)
class FeedPage(ReadResult):
    """A page of the feed: how many items it has, up to which Change it looked, and which is the last of all."""

    items: int = field(kw_only=True)
    scanned_to: int = field(kw_only=True)
    chain: str = field(kw_only=True)
    last: int = field(kw_only=True)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to tell, and nothing more to look at."""
        return self.items == 0 and self.scanned_to == self.last


def read_feed(query: Any, request: ReadRequest) -> Read:
    """Changes behind `query.after`, and where to go on; Rewound when there is another history here."""
    rows = yield _LAST, {}
    last, chain = rows[0] if rows else (0, "")
    name = f"{last}-{chain[:HEAD]}" if last else "0"
    if request.matches(request.tag(name)):
        return ReadResult(None, request.tag(name))
    yield from _ensure_known(query, last)
    items, seen = yield from _items(query, last)
    if seen != last:
        chain = yield from _chain_at(seen)
    following = _next(query, seen, chain)
    shown = b'{"items":[%s],"next":%s,"last":%d}' % (b",".join(items), to_json(following), last)
    told = request.result(shown, name, following)
    return FeedPage(told.body, told.tag, following, items=len(items), scanned_to=seen, chain=chain[:HEAD], last=last)


def _ensure_known(query: Any, last: int) -> Read:
    """Rewound unless the Change that the caller saw last is here, under the chain value that it had."""
    if query.after > last:
        raise Rewound
    if query.chain and not (yield from _chain_at(query.after)).startswith(query.chain):
        raise Rewound


def _chain_at(sequence: int) -> Read:
    rows = yield _CHAIN, {"sequence": sequence}
    return rows[0][0] if rows else ""


def _next(query: Any, seen: int, chain: str) -> str:
    given = query.model_dump(exclude_unset=True, exclude_none=True, exclude={"after", "chain"})
    place = {"after": seen, **({"chain": chain[:HEAD]} if seen else {})}
    said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return f"{PATH}?{urlencode({**place, **said}, doseq=True)}"


def _items(query: Any, last: int) -> Read:
    """The items of a page, and the number of the Change up to which everything was looked at."""
    resource, _, record_id = (query.record or "").partition("/")
    values = {"resources": query.resource, "resource": resource, "id": record_id, "named": f'"{query.partner}"'}
    until = last if query.record else min(last, query.after + SCANNED)
    statement = _statement(query.proof, bool(query.resource), bool(query.record), bool(query.partner))
    items: list[bytes] = []
    seen, size = query.after, 0
    while seen < until and len(items) < query.limit and size < MAX_PAGE_BYTES:
        most = min(ROWS_OF_ROUND, query.limit - len(items))
        rows = yield statement, {**values, "after": seen, "until": until, "most": most}
        for row in rows:
            item = yield from _item(FeedRow(*row), query)
            if item is not None:
                items.append(item)
                size += len(item)
        seen = rows[-1][0] if len(rows) == most else until
    return items, seen


@lru_cache(maxsize=16)
def _statement(proof: bool, resources: bool, record: bool, partner: bool) -> Query:
    """The next Changes within a bound. With a filter, hidden ones are left out: it would say what they are about."""
    where = [C.sequence > bindparam("after"), C.sequence <= bindparam("until")]
    if not proof or resources or record or partner:
        where.append(C.shown.is_not(None))
    if resources:
        where.append(one_of(unindexed(C.resource), "resources"))
    if record:
        where.append(and_(C.resource == bindparam("resource"), C.record_id == bindparam("id")))
    if partner:
        where.append(_may_name_partner())
    return Query(_FEED_ROWS.where(*where).order_by(C.sequence).limit(bindparam("most")))


def _may_name_partner() -> ColumnElement[bool]:
    """Whether a representation, or the one before it, may name the partner: whether it does is decided later."""
    earlier = CHANGES.alias("earlier")
    same = and_(earlier.c.resource == C.resource, earlier.c.record_id == C.record_id)
    before = select(earlier.c.body).where(same, earlier.c.sequence < C.sequence, earlier.c.shown.is_not(None))
    body = before.order_by(earlier.c.sequence.desc()).limit(literal_column("1")).scalar_subquery()
    named_now, named_before = C.body.contains(bindparam("named")), body.contains(bindparam("named"))
    return or_(named_now, and_(C.shown != "create", named_before), C.shown == "redact")


def _item(told: FeedRow, query: Any) -> Read:
    """A Change as the feed shows it; None when it does not concern the partner that is asked for."""
    if told.shown is None:
        return to_json({"sequence": told.sequence, "proof": {"entry": chain_entry_of(told), "chain": told.chain}})
    body, own = yield from _shown(told)
    is_gone = told.action == "delete" or not own
    if query.partner and not (yield from _concerns_partner(told, body, query.partner)):
        return None
    item: dict[str, Any] = {
        "sequence": told.sequence,
        "at": told.at,
        "actor": told.actor,
        "action": "delete" if is_gone else told.shown,  # also of what was gone when text was taken down from it
        "resource": told.resource,
        "id": told.record_id,
        "version": told.version,
    }
    if query.proof:
        item["proof"] = {**_proof(told, own), **(yield from _log(told))}
    return b'%s,"record":%s}' % (to_json(item)[:-1], body)


def _proof(told: FeedRow, own: bool) -> Mapping[str, Any]:
    return {
        "action": told.action,
        "digest": told.digest,
        "salt": told.salt if own else None,
        "redacted": told.redacted,
        "withheld": not own,
        "chain": told.chain,
    }


def _log(told: FeedRow) -> Read:
    """Of a redaction: why, and what stands for the representations that it put in the place of others."""
    if told.shown != "redact":
        return {}
    rows = yield _LOG, {"sequence": told.sequence}
    return {"reason": rows[0][0], "digests": json.loads(rows[0][1])} if rows else {}


def _shown(told: FeedRow) -> Read:
    """The last public representation of the record up to this Change, and whether it is the Change's own."""
    if _is_public(told):
        return told.body, True
    while rows := (yield _BEFORE, {"resource": told.resource, "id": told.record_id, "sequence": told.sequence}):
        told = FeedRow(*rows[0])
        if _is_public(told):
            return told.body, False
    return b"null", False


def _is_public(told: FeedRow) -> bool:
    """Whether the representation of a Change was public: that of a withdrawal is the draft's."""
    if told.body is None or told.shown == "redact":
        return told.body is not None and json.loads(told.body)["state"] == "published"
    return told.shown != "delete" or told.action == "delete"


def _concerns_partner(told: FeedRow, body: bytes, partner: str) -> Read:
    """Whether the record is or names the partner, or did before this Change: who follows it learns when that ends."""
    if _names(told, body, partner):
        return True
    if told.shown == "create":
        return False
    rows = yield _BEFORE, {"resource": told.resource, "id": told.record_id, "sequence": told.sequence}
    if not rows:
        return False
    earlier, _ = yield from _shown(FeedRow(*rows[0]))
    return _names(told, earlier, partner)


def _names(told: FeedRow, body: bytes, partner: str) -> bool:
    if body == b"null" or b'"%s"' % partner.encode() not in body:
        return (told.resource, told.record_id) == ("partners", partner)
    found = partners_of(told.resource, told.record_id, body)
    return found is None or partner in found  # what nobody can read any more is told rather once too often
