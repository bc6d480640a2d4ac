"""What an archive says about its registry, and the state of the log that it contains."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, literal_column, select

from app import __version__
from app.core.change_log import CHANGES, REDACTIONS
from app.core.database.statements import Query, Read
from app.core.model.fields import RENDERING
from app.core.settings import Settings
from app.core.values.json import to_json

FORMAT = 1  # of the archive: its files and their members
_LAST = Query(
    select(CHANGES.c.sequence, CHANGES.c.chain, CHANGES.c.at)
    .order_by(CHANGES.c.sequence.desc())
    .limit(literal_column("1"))
)
_LAST_REDACTION = Query(select(func.max(REDACTIONS.c.change)))


class State(NamedTuple):
    """The last Change of the log, and the number of the last redaction."""

    sequence: int = 0
    chain: str = ""
    at: str = ""
    redaction: int = 0


def read_state() -> Read:
    """Read the state of the log."""
    last = yield _LAST, {}
    redactions = yield _LAST_REDACTION, {}
    sequence, chain, at = last[0] if last else (0, "", "")
    return State(sequence, chain, at, redactions[0][0] or 0)


@dataclass(frozen=True)
class Description:
    """The name, licence and contact of a registry, and its public address if it is known."""

    name: str
    licence: str
    licence_url: str
    contact: str = ""
    url: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "Description":
        """Return the description that the settings give."""
        return cls(
            settings.site_name,
            settings.data_licence,
            settings.data_licence_url,
            settings.contact,
            settings.public_url.rstrip("/"),
        )

    @property
    def digest(self) -> str:
        """A short digest of what an archive depends on in addition to the log."""
        content: list[Any] = [FORMAT, __version__, RENDERING, *vars(self).values()]
        return hashlib.blake2b(to_json(content), digest_size=4).hexdigest()
