"""Idempotency-Key: for 24 hours, a repeated request receives the first response again and writes nothing."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Integer, bindparam, delete, insert, select
from sqlmodel import Field, Session, SQLModel

from app.core.change_log import CHANGE_NAME, CHANGES, instant, now
from app.core.database.engine import Database
from app.core.database.tables import BYTEWISE, SEQUENCE
from app.core.errors import ErrorItem, Invalid

RETENTION = timedelta(hours=24)
HEADER = "Idempotency-Key"
PRUNED_AT_ONCE = 1_000


class Replay(SQLModel, table=True):
    """A request with an Idempotency-Key that was executed.

    `key` is the id of the caller's key, `token` the idempotency key and `request` a digest of path and body. The
    response is not stored: its body and ETag follow from the Change and the rendering.
    """

    __tablename__ = "replays"

    key: str = Field(sa_type=BYTEWISE, primary_key=True)
    token: str = Field(sa_type=BYTEWISE, primary_key=True)
    request: str = Field(sa_type=BYTEWISE)
    at: str = Field(sa_type=BYTEWISE, index=True)
    change: int = Field(sa_type=SEQUENCE)
    rendering: int = Field(sa_type=Integer)


REPLAYS = SQLModel.metadata.tables["replays"]


def _oldest() -> str:
    return instant(datetime.now(UTC) - RETENTION)


def find_replay(session: Session, key: str, token: str, request: str) -> tuple[str, str, str] | None:
    """Return the id, tag and body of the response to this request, or None if it was not executed before.

    Raise Invalid if the idempotency key was used for another request. Call this inside the transaction of the write:
    of two simultaneous requests, the second one waits for the writer lock, and then finds the first one.
    """
    of_token = (REPLAYS.c.key == key, REPLAYS.c.token == token)
    replay = session.execute(select(REPLAYS).where(*of_token)).first()
    if replay is None:
        return None
    if replay.at < _oldest():
        session.execute(delete(REPLAYS).where(*of_token))
        return None
    if replay.request != request:
        detail = "This Idempotency-Key was used for another request."
        raise Invalid(ErrorItem(parameter=HEADER, code="key_reused", detail=detail))
    query = select(CHANGES.c.record_id, CHANGE_NAME, CHANGES.c.body).where(CHANGES.c.sequence == replay.change)
    change = session.execute(query).first()
    return (change[0], f"{change[1]}-{replay.rendering}", change[2]) if change else None


def store_replay(session: Session, key: str, token: str, request: str, tag: str) -> None:
    """Store that this request made the Change in the tag."""
    sequence, _, rest = tag.partition("-")
    _, _, rendering = rest.rpartition("-")
    row = {"key": key, "token": token, "request": request, "at": now()}
    session.execute(insert(REPLAYS), {**row, "change": int(sequence), "rendering": int(rendering)})


def prune_replays(database: Database) -> bool:
    """Delete a batch of requests that are older than the retention. Return whether there may be more."""
    expired = select(REPLAYS.c.key, REPLAYS.c.token).where(REPLAYS.c.at < _oldest()).limit(PRUNED_AT_ONCE)
    with database.snapshot() as connection:
        rows = [row._asdict() for row in connection.execute(expired)]
    if rows:
        own = (REPLAYS.c.key == bindparam("old_key"), REPLAYS.c.token == bindparam("old_token"))
        values = [{f"old_{name}": value for name, value in row.items()} for row in rows]
        with database.engine.begin() as connection:
            connection.execute(delete(REPLAYS).where(*own, REPLAYS.c.at < _oldest()), values)
    return len(rows) == PRUNED_AT_ONCE
