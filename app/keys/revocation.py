"""The revocation of keys: by an administrator, or by anybody who has the token of a key that leaked."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.access.clients import client_of, network_of
from app.core.access.key_events import TOKEN, actor_of, add_event
from app.core.access.keys import Key, caller_of, id_of_token, refusal_of, token_hash
from app.core.asgi.authentication import read_key
from app.core.change_log import now
from app.core.errors import TooMany, Unauthorized
from app.keys.administration import find_key
from app.keys.powers import ensure_administrator_remains

ANSWER_SECONDS = 0.25  # seconds until a revocation by token is answered, even if there was nothing to revoke
MAX_PENDING = 100


def revoke(session: Session, key_id: str, caller: Caller | None = None, *, force: bool = False) -> None:
    """Revoke a key for good; a revoked key stays as it is.

    Raise NotFound if it does not exist, and Conflict if no other administrator would remain, unless with `force`.
    """
    key = find_key(session, key_id)
    if key.revoked_at is not None:
        return
    if not force:
        ensure_administrator_remains(session, key)
    key.revoked_at = now()
    add_event(session, key_id, "revoke", actor_of(caller), caller.address or None if caller else None)


def revoke_token(session: Session, key_id: str, token: str, actor: str, address: str | None = None) -> bool:
    """Revoke the key with this token, and return whether there was something to revoke.

    The last administrator is no exception, because a registry without one is safer than a leaked one. If it is the
    token before a rotation, only this token is revoked.
    """
    key = session.get(Key, key_id)
    if key is None or refusal_of(key, token, "") not in (None, "wrong_network"):
        return False
    if token_hash(token) == key.hash:
        key.revoked_at = now()
        add_event(session, key_id, "revoke", actor, address, "by its token")
    else:
        key.previous_until = now()
        add_event(session, key_id, "change", actor, address, "the token before the last rotation was revoked")
    return True


class PendingRevocations:
    """The revocations by token that are being answered: at most one for each address, and a maximum in all."""

    def __init__(self) -> None:
        self._addresses: set[str] = set()

    @contextlib.contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Register a revocation. Raise TooMany if the address has one already, or if there are too many in all."""
        if address in self._addresses or len(self._addresses) >= MAX_PENDING:
            raise TooMany(
                "Another revocation from this address has not ended yet. Try again later.", headers={"Retry-After": "1"}
            )
        self._addresses.add(address)
        try:
            yield
        finally:
            self._addresses.discard(address)


async def revoke_leaked(request: Request, token: str) -> None:
    """Revoke the key with this token, if there is one. It takes the same time in any case.

    Raise Unauthorized for a text that is no token at all, which can be seen without the database.
    """
    key_id = id_of_token(token)
    address = request.client.host if request.client else ""
    with request.app.state.key_revocations.admit(network_of(address)):
        started = time.monotonic()
        key = await read_key(request.app.state.primary_reader, key_id, client_of(request.scope))
        if key is not None:
            await _revoke_or_count(request.app.state, key, token, address)
        await asyncio.sleep(max(0.0, started + ANSWER_SECONDS - time.monotonic()))


async def _revoke_or_count(state: Any, key: Any, token: str, address: str) -> None:
    refusal = refusal_of(key, token, "")
    if refusal not in (None, "wrong_network"):
        state.key_activity.refused(key.id, refusal, address)
        return
    with contextlib.suppress(Unauthorized):  # it was revoked or has expired in the meantime
        # Before the writes of the key itself, which wait and are then refused.
        await state.editor.run(
            caller_of(key),
            lambda session, _: revoke_token(session, key.id, token, TOKEN, address or None),
            urgent=True,
        )
