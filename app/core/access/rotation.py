"""What keys and webhooks have in common: the form of an id, and the rotation of a token or secret."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.core.access.keys import ID_LENGTH
from app.core.change_log import instant

DAY = 86_400  # seconds
RandomId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-z]{{{ID_LENGTH}}}$")]


class Rotation(BaseModel, defer_build=True):
    """The rotation of a token or secret."""

    model_config = ConfigDict(extra="forbid")

    overlap: int = Field(
        default=DAY, ge=0, le=30 * DAY, description="Seconds for which the previous token or secret stays valid."
    )

    def previous_until(self) -> str:
        """Return the instant until which the previous token or secret stays valid, if it is replaced now."""
        return instant(datetime.now(UTC) + timedelta(seconds=self.overlap))
