"""Keys: who asks, and what that allows. Of a key's text only a hash is kept; it is shown once, when it is made."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Text, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, Session, SQLModel
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.changes import instant, now
from app.core.codelists import Code, CodeList
from app.core.database import Database, Query, Read
from app.core.errors import Forbidden, Problem, Unauthorized
from app.core.record import BYTEWISE

SCOPE = CodeList(
    "scope",
    "What a key allows beside reading, which needs none.",
    {
        "records:write": Code("Write all records", "Ghi mọi bản ghi"),
        "records:write:own": Code("Write the records its partner keeps", "Ghi bản ghi do đối tác của khóa quản lý"),
        "webhooks": Code("Subscribe to changes", "Đăng ký nhận thay đổi"),
        "keys": Code("Administer keys", "Quản trị khóa"),
    },
)
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH, SECRET_LENGTH, CHECK_LENGTH = 10, 30, 6  # 62^30 is 178 bits
# What secret scanners may look for; the last six characters are the CRC-32 of all before them, in base 62.
KEY_TEXT = re.compile(rf"hoptac_([0-9a-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECK_LENGTH}}}")
USE_NOTED_EVERY = timedelta(minutes=1)


class Key(SQLModel, table=True):
    """A key as it is stored; `previous_hash` goes on counting until `previous_until`, while its text is exchanged."""

    __tablename__ = "keys"

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    name: str = Field(sa_type=Text)
    hash: str = Field(sa_type=BYTEWISE)
    scopes: str = Field(sa_type=BYTEWISE, description="Separated by blanks.")
    partner: str | None = Field(sa_type=BYTEWISE, index=True)
    created_at: str = Field(sa_type=BYTEWISE)
    expires_at: str | None = Field(sa_type=BYTEWISE)
    revoked_at: str | None = Field(default=None, sa_type=BYTEWISE)
    last_used_at: str | None = Field(default=None, sa_type=BYTEWISE)
    previous_hash: str | None = Field(default=None, sa_type=BYTEWISE)
    previous_until: str | None = Field(default=None, sa_type=BYTEWISE)


KEYS = SQLModel.metadata.tables["keys"]
_ONE = select(KEYS).where(KEYS.c.id == bindparam("id"))
ONE_KEY = Query(_ONE, alone=True)


@dataclass(frozen=True)
class Asker:
    """Who asks: nobody in particular, or the holder of a key."""

    key: str = ""
    scopes: frozenset[str] = frozenset()
    partner: str | None = None

    @property
    def writes_all(self) -> bool:
        """Whether every record is theirs to write."""
        return "records:write" in self.scopes

    def may_write(self, keeper: str | None) -> bool:
        """Whether a record of this keeper is theirs to write."""
        return self.writes_all or ("records:write:own" in self.scopes and keeper is not None and keeper == self.partner)

    def sees(self, state: str, keeper: str | None) -> bool:
        """Whether a record exists for them: a draft does for those who may write it."""
        return state == "published" or self.may_write(keeper)

    def saw(self, body: str | None) -> bool:
        """Whether a record that ended with this representation existed for them."""
        if body is None:  # of a draft, in a mirror
            return False
        last = json.loads(body)
        return self.sees(last["state"], last["managed_by"])

    def require(self, *scopes: str) -> None:
        """Unauthorized without a key, Forbidden when its scopes have none of these."""
        if not self.key:
            raise Unauthorized("This needs a key: Authorization: Bearer hoptac_…")
        if not self.scopes.intersection(scopes):
            raise Forbidden(f"This takes a key with the scope {' or '.join(scopes)}.")


NOBODY = Asker()


def new_text(key_id: str) -> str:
    """The text of a key, to be shown once: `hoptac_<id>_<secret><checksum>`."""
    begun = f"hoptac_{key_id}_" + "".join(secrets.choice(DIGITS) for _ in range(SECRET_LENGTH))
    return begun + _check(begun)


def _check(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits


def hashed(text: str) -> str:
    """What is kept of a key: the SHA-256 of its text. The text is random, so nothing slower is needed."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_in(text: str) -> str:
    """The id in the text of a key; Unauthorized when it is none, without a look at the database."""
    found = KEY_TEXT.fullmatch(text)
    if found is None or _check(text[:-CHECK_LENGTH]) != text[-CHECK_LENGTH:]:
        raise Unauthorized
    return found[1]


def _counts(key: Any, at: str) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > at)


def _opens(key: Any, text: str, at: str) -> bool:
    """Whether this is the text of the key, or the one before it within the overlap."""
    given = hashed(text)
    before = key.previous_hash if key.previous_until and key.previous_until > at else None
    return hmac.compare_digest(given, key.hash) or (before is not None and hmac.compare_digest(given, before))


def _asker(key: Any) -> Asker:
    return Asker(key.id, frozenset(key.scopes.split()), key.partner)


def asker_still(session: Session, asker: Asker) -> Asker:
    """The asker as the database knows them now; Unauthorized when the key was revoked since the request came."""
    key = session.execute(_ONE, {"id": asker.key}).first()
    if key is None or not _counts(key, now()):
        raise Unauthorized
    return _asker(key)


class Gate:
    """Pure ASGI: tells everything behind it who asks, and refuses a key that does not count, on reads too."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1"):
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            if given:
                try:
                    scope["asker"] = await self._counted(given, scope.get("meter"))
                except Problem as problem:
                    await problem.response()(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _counted(self, given: list[bytes], meter: Any) -> Asker:
        """Who asks; the meter, where there is one, is told whether the key is valid."""
        try:
            asker = await self._identify(given)
        except Unauthorized:
            if meter is not None:
                meter.refused()
            raise
        if meter is not None:
            meter.opened(asker.key)
        return asker

    async def _identify(self, given: list[bytes]) -> Asker:
        scheme, _, text = given[0].decode("latin-1").partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise Unauthorized
        key_id, at = id_in(text.strip()), now()
        key = await self.state.reader.run(lambda: _find(key_id))
        if key is None or not _opens(key, text.strip(), at) or not _counts(key, at):
            raise Unauthorized
        self.state.uses.note(key)
        return _asker(key)


def _find(key_id: str) -> Read:
    rows = yield ONE_KEY, {"id": key_id}
    return SimpleNamespace(**dict(zip(KEYS.c.keys(), rows[0], strict=True))) if rows else None


class Uses:
    """Notes when keys were used, at most once a minute each, beside the requests and without a Change."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._tasks: set[asyncio.Future[None]] = set()
        self._noted: dict[str, str] = {}

    def note(self, key: Any) -> None:
        """This key is used now."""
        before = instant(datetime.now(UTC) - USE_NOTED_EVERY)
        if max(key.last_used_at or "", self._noted.get(key.id, "")) > before:
            return
        self._noted[key.id] = now()
        task = asyncio.ensure_future(asyncio.to_thread(self._write, key.id, before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write(self, key_id: str, before: str) -> None:
        stale = or_(KEYS.c.last_used_at.is_(None), KEYS.c.last_used_at < before)
        used = update(KEYS).where(KEYS.c.id == key_id, stale).values(last_used_at=now())
        with contextlib.suppress(SQLAlchemyError), self.database.engine.begin() as connection:
            connection.execute(used)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks)
