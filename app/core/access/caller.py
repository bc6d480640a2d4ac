"""Who calls, and what that allows."""

import json
from dataclasses import dataclass

from app.core.errors import Forbidden, Unauthorized
from app.core.values.codelists import Code, CodeList

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


@dataclass(frozen=True)
class Caller:
    """Who asks: nobody in particular, or the holder of a key."""

    key: str = ""
    scopes: frozenset[str] = frozenset()
    partner: str | None = None

    @property
    def writes_all(self) -> bool:
        """Whether every record is theirs to write."""
        return "records:write" in self.scopes

    def may_write(self, manager: str | None) -> bool:
        """Whether a record of this keeper is theirs to write."""
        return self.writes_all or (
            "records:write:own" in self.scopes and manager is not None and manager == self.partner
        )

    def can_see(self, state: str, manager: str | None) -> bool:
        """Whether a record exists for them: a draft does for those who may write it."""
        return state == "published" or self.may_write(manager)

    def could_see(self, body: str | None) -> bool:
        """Whether a record that ended with this representation existed for them."""
        if body is None:  # of a draft, in a mirror
            return False
        last = json.loads(body)
        return self.can_see(last["state"], last["managed_by"])

    def require(self, *scopes: str) -> None:
        """Unauthorized without a key, Forbidden when its scopes have none of these."""
        if not self.key:
            raise Unauthorized("This needs a key: Authorization: Bearer hoptac_…")
        if not self.scopes.intersection(scopes):
            raise Forbidden(f"This takes a key with the scope {' or '.join(scopes)}.")


ANONYMOUS = Caller()
