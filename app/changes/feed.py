"""The change feed: the public view of every Change, in the order of commits, with a proof that none is missing.

All callers see the same feed. It leaves out the Changes of drafts. With `proof`, it states their number and entry.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal_column, or_, select

from app.core.access.keys import KEYS
from app.core.change_log import CHANGES, EARLIER_PUBLIC, REDACTIONS, chain_entry_of
from app.core.database.sql import bounded_query, one_of, unfitted, unindexed, utf8
from app.core.database.statement_cache import STATEMENTS
from app.core.database.statements import MAX_PAGE_BYTES, Query, Read, fitting
from app.core.errors import Rewound
from app.core.public_paths import public
from app.core.reading.results import ReadRequest, ReadResult
from app.core.values.json import to_json
from app.core.writing.representation import is_public, partners_of

PATH = "/v1/changes"
SCANNED = 4_000  # Changes that one page examines at most while it looks for those that the filters select
ROWS_OF_ROUND = 50  # representations that one statement fetches at most
HEAD = 8  # characters of a chain value in `next`; tags use as many

C = CHANGES.c


class FeedRow(NamedTuple):
    """A stored Change with its representation in bytes.

    `body` is None if the feed must not show it: for a Change of a draft, or in a mirror that never received it.
    """

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
    partner: str | None
    body: bytes | None

    @property
    def key(self) -> dict[str, Any]:
        """The parameters that select the earlier Changes of its record."""
        return {"resource": self.resource, "id": self.record_id, "sequence": self.sequence}


# The partner of the key that wrote a Change. A mirror does not have the keys of its source.
_PARTNER = select(KEYS.c.partner).where(KEYS.c.id == func.substr(C.actor, len("key:") + 1)).scalar_subquery()
_COLUMNS = [*(C[name] for name in FeedRow._fields[:-2]), _PARTNER.label("partner")]
_FEED_ROWS = select(*_COLUMNS, case((C.shown.is_not(None), utf8(C.body))))
_FEED_TEXTS = select(*_COLUMNS, case((C.shown.is_not(None), unfitted(C.body))).label("body"))
_LAST = Query(select(C.sequence, C.chain).order_by(C.sequence.desc()).limit(literal_column("1")))
_REDACTION = Query(
    select(REDACTIONS.c.reason, REDACTIONS.c.digests).where(REDACTIONS.c.change == bindparam("sequence"))
)
_CHAIN = Query(select(C.chain).where(C.sequence == bindparam("sequence")))
_BEFORE = Query(_FEED_ROWS.where(EARLIER_PUBLIC).order_by(C.sequence.desc()).limit(literal_column("1")))


@dataclass(frozen=True)
class FeedPage(ReadResult):
    """A page of the feed.

    `items` is the number of its items, `scanned_to` the last Change that was examined, `chain` the head of that
    Change's chain value, and `last` the newest Change of the registry.
    """

    items: int = field(kw_only=True)
    scanned_to: int = field(kw_only=True)
    chain: str = field(kw_only=True)
    last: int = field(kw_only=True)

    @property
    def is_idle(self) -> bool:
        """Whether the page is empty and no Change is left to examine."""
        return self.items == 0 and self.scanned_to == self.last


def read_feed(query: Any, request: ReadRequest) -> Read:
    """Return the page of Changes after `query.after`.

    Raise Rewound if the log does not contain the Change that the caller saw last.
    """
    rows = yield _LAST, {}
    last, chain = rows[0] if rows else (0, "")
    change_name = f"{last}-{chain[:HEAD]}" if last else "0"
    if request.matches(request.tag(change_name)):
        return ReadResult(None, request.tag(change_name))
    yield from _ensure_not_rewound(query, last)
    items, scanned_to = yield from _items(query, last)
    if scanned_to != last:
        chain = yield from _chain_at(scanned_to)
    next_path = _next_path(query, scanned_to, chain)
    page = b'{"items":[%s],"next":%s,"last":%d}' % (b",".join(items), to_json(next_path), last)
    result = request.result(page, change_name, next_path)
    return FeedPage(
        result.body, result.tag, next_path, items=len(items), scanned_to=scanned_to, chain=chain[:HEAD], last=last
    )


def _ensure_not_rewound(query: Any, last: int) -> Read:
    """Raise Rewound unless the log contains the Change `query.after` with the chain value that the caller knows."""
    if query.after > last:
        raise Rewound
    if query.chain and not (yield from _chain_at(query.after)).startswith(query.chain):
        raise Rewound


def _chain_at(sequence: int) -> Read:
    rows = yield _CHAIN, {"sequence": sequence}
    return rows[0][0] if rows else ""


def _next_path(query: Any, scanned_to: int, chain: str) -> str:
    parameters: dict[str, Any] = {"after": scanned_to}
    if scanned_to:
        parameters["chain"] = chain[:HEAD]
    others = query.model_dump(exclude_unset=True, exclude_none=True, exclude={"after", "chain"})
    for name, value in others.items():
        parameters[name] = str(value).lower() if isinstance(value, bool) else value
    return public(f"{PATH}?{urlencode(parameters, doseq=True)}")


def _items(query: Any, last: int) -> Read:
    """Return the items of a page and the number of the last Change that was examined.

    A page ends before the item with which it has too many bytes, or too many bytes were read for it.
    """
    resource, _, record_id = (query.record or "").partition("/")
    values = {"resources": query.resource, "resource": resource, "id": record_id, "quoted": f'"{query.partner}"'}
    until = last if query.record else min(last, query.after + SCANNED)
    statement = STATEMENTS.query(_statement, query.proof, bool(query.resource), bool(query.record), bool(query.partner))
    items: list[bytes] = []
    scanned_to = query.after
    size = 0
    while scanned_to < until and len(items) < query.limit and size < MAX_PAGE_BYTES:
        limit = min(ROWS_OF_ROUND, query.limit - len(items))
        bounds = {"after": scanned_to, "until": until, "limit": limit, "most_bytes": MAX_PAGE_BYTES - size}
        rows = yield statement, {**values, **bounds}
        fitted = fitting(rows)
        for row in fitted:
            item = yield from feed_item(FeedRow(*row), query)
            size += len(item or b"")
            if items and size > MAX_PAGE_BYTES:
                return items, scanned_to
            items += [] if item is None else [item]
            scanned_to = row[0]
        if len(fitted) < len(rows):
            break
        scanned_to = rows[-1][0] if len(rows) == limit else until
    return items, scanned_to


def _statement(proof: bool, resources: bool, record: bool, partner: bool) -> Query:
    """Return the statement of the next Changes up to a bound.

    With a filter it leaves out the Changes of drafts, because a match would reveal the subject of a draft.
    """
    where = [C.sequence > bindparam("after"), C.sequence <= bindparam("until")]
    if not proof or resources or record or partner:
        where.append(C.shown.is_not(None))
    if resources:
        where.append(one_of(unindexed(C.resource), "resources"))
    if record:
        where.append(and_(C.resource == bindparam("resource"), C.record_id == bindparam("id")))
    if partner:
        where.append(_may_name_partner())
    return bounded_query(_FEED_TEXTS.where(*where).order_by(C.sequence).limit(bindparam("limit")))


def _may_name_partner() -> ColumnElement[bool]:
    """Return the condition that this or the previous representation contains the partner's id as a JSON string.

    It only selects candidates. `_concerns_partner` decides.
    """
    earlier = CHANGES.alias("earlier")
    same_record = and_(earlier.c.resource == C.resource, earlier.c.record_id == C.record_id)
    before = select(earlier.c.body).where(same_record, earlier.c.sequence < C.sequence, earlier.c.shown.is_not(None))
    body = before.order_by(earlier.c.sequence.desc()).limit(literal_column("1")).scalar_subquery()
    named_now = C.body.contains(bindparam("quoted"))
    named_before = and_(C.shown != "create", body.contains(bindparam("quoted")))
    return or_(named_now, named_before, C.shown == "redact")


def feed_item(row: FeedRow, query: Any) -> Read:
    """Return the JSON of a Change in the feed, or None if it does not concern `query.partner`."""
    if row.shown is None:
        return to_json({"sequence": row.sequence, "proof": {"entry": chain_entry_of(row), "chain": row.chain}})
    body, is_own = yield from _public_body(row)
    is_deleted = row.action == "delete" or not is_own
    if query.partner and not (yield from _concerns_partner(row, body, query.partner)):
        return None
    item: dict[str, Any] = {
        "sequence": row.sequence,
        "at": row.at,
        "actor": row.actor,
        "partner": row.partner,
        "action": "delete" if is_deleted else row.shown,  # a redaction of a deleted record is one more delete
        "resource": row.resource,
        "id": row.record_id,
        "version": row.version,
    }
    if query.proof:
        item["proof"] = {**_proof(row, is_own), **(yield from _redaction(row))}
    return b'%s,"record":%s}' % (to_json(item)[:-1], body)


def _proof(row: FeedRow, is_own: bool) -> Mapping[str, Any]:
    return {
        "action": row.action,
        "digest": row.digest,
        "salt": row.salt if is_own else None,
        "redacted": row.redacted,
        "withheld": not is_own,
        "chain": row.chain,
    }


def _redaction(row: FeedRow) -> Read:
    """Return the reason of a redaction and the digests of the representations that it wrote."""
    if row.shown != "redact":
        return {}
    rows = yield _REDACTION, {"sequence": row.sequence}
    return {"reason": rows[0][0], "digests": json.loads(rows[0][1])} if rows else {}


def _public_body(row: FeedRow) -> Read:
    """Return the last public representation of the record up to this Change, and whether this Change wrote it."""
    if is_public(row):
        return row.body, True
    while rows := (yield _BEFORE, row.key):
        row = FeedRow(*rows[0])
        if is_public(row):
            return row.body, False
    return b"null", False


def _concerns_partner(row: FeedRow, body: bytes, partner: str) -> Read:
    """Return whether the record is the partner, names it, or named it before this Change.

    So a client that follows a partner also receives the Change that removes the last link.
    """
    if _names(row, body, partner):
        return True
    if row.shown == "create":
        return False
    rows = yield _BEFORE, row.key
    if not rows:
        return False
    earlier, _ = yield from _public_body(FeedRow(*rows[0]))
    return _names(row, earlier, partner)


def _names(row: FeedRow, body: bytes, partner: str) -> bool:
    if body == b"null" or b'"%s"' % partner.encode() not in body:
        return (row.resource, row.record_id) == ("partners", partner)
    partners = partners_of(row.resource, row.record_id, body)
    return partners is None or partner in partners  # an old representation that cannot be read is shown
