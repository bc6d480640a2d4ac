"""Idempotency-Key: a request that was carried out is answered again as before, for 24 hours, and not done twice."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Integer, delete, insert, select
from sqlmodel import Field, Session, SQLModel

from app.core.database.tables import BYTEWISE, SEQUENCE
from app.core.errors import ErrorItem, Invalid
from app.core.log import CHANGE_NAME, CHANGES, instant, now

RETENTION = timedelta(hours=24)

HEADER = "Idempotency-Key"


class Replay(SQLModel, table=True):
    """A request that was carried out: whose, under which Idempotency-Key, and the Change that it made.

    The answer is not kept: it is made of the Change again.
    """

    __tablename__ = "replays"

    key: str = Field(sa_type=BYTEWISE, primary_key=True)
    token: str = Field(sa_type=BYTEWISE, primary_key=True)
    request: str = Field(sa_type=BYTEWISE)
    at: str = Field(sa_type=BYTEWISE, index=True)
    change: int = Field(sa_type=SEQUENCE)
    rendering: int = Field(sa_type=Integer)


REPLAYS = SQLModel.metadata.tables["replays"]


def find_replay(session: Session, key: str, token: str, request: str) -> tuple[str, str, str] | None:
    """Id, tag and body that this request was answered with; Invalid when the token came with another request.

    Inside the writers' lock, so that of simultaneous twins the second finds what the first has done.
    """
    oldest = instant(datetime.now(UTC) - RETENTION)
    session.execute(delete(REPLAYS).where(REPLAYS.c.at < oldest))
    query = (
        select(REPLAYS.c.request, CHANGES.c.record_id, CHANGE_NAME, REPLAYS.c.rendering, CHANGES.c.body)
        .join(CHANGES, CHANGES.c.sequence == REPLAYS.c.change)
        .where(REPLAYS.c.key == key, REPLAYS.c.token == token)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    if found[0] != request:
        detail = "This key came with another request."
        raise Invalid(ErrorItem(parameter=HEADER, code="key_reused", detail=detail))
    return found[1], f"{found[2]}-{found[3]}", found[4]


def store_replay(session: Session, key: str, token: str, request: str, tag: str) -> None:
    """Keep that this request was answered with the Change that its tag names."""
    sequence, _, rest = tag.partition("-")
    row = {"key": key, "token": token, "request": request, "at": now()}
    session.execute(insert(REPLAYS), {**row, "change": int(sequence), "rendering": int(rest.rpartition("-")[2])})
