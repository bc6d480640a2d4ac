"""The caller of a request and the permissions of their key."""

import json
from dataclasses import dataclass, field

from app.core.errors import Forbidden, Unauthorized
from app.core.values.codelists import Code, CodeList

SCOPE = CodeList(
    "scope",
    "A permission of a key. Reading needs no key.",
    {
        "records:write": Code("Write all records", "Ghi mọi bản ghi"),
        "records:write:own": Code(
            "Write the records that its partner manages", "Ghi bản ghi do đối tác của khóa quản lý"
        ),
        "webhooks": Code("Subscribe to changes", "Đăng ký nhận thay đổi"),
        "keys": Code("Administer keys", "Quản trị khóa"),
    },
)


@dataclass(frozen=True)
class Caller:
    """The holder of a key, or anonymous.

    `address` is where the request came from, and `token_hash` that of its token, if there is a request.
    """

    key: str = ""
    scopes: frozenset[str] = frozenset()
    partner: str | None = None
    address: str = field(default="", compare=False)
    token_hash: str = field(default="", compare=False, repr=False)

    @property
    def writes_all(self) -> bool:
        """Whether the caller may write all records."""
        return "records:write" in self.scopes

    def may_write(self, manager: str | None) -> bool:
        """Return whether the caller may write a record that this partner manages."""
        return self.writes_all or (
            "records:write:own" in self.scopes and manager is not None and manager == self.partner
        )

    def can_see(self, state: str, manager: str | None) -> bool:
        """Return whether the caller can see a record. A draft is visible only to those who may write it."""
        return state == "published" or self.may_write(manager)

    def could_see(self, body: str | None) -> bool:
        """Return whether the caller could see a deleted record, from its last representation."""
        if body is None:  # a draft, in a mirror
            return False
        last = json.loads(body)
        return self.can_see(last["state"], last["managed_by"])

    def require(self, *scopes: str) -> None:
        """Require one of the scopes; Unauthorized without a key, Forbidden if the key has none of them."""
        if not self.key:
            raise Unauthorized("This operation requires a key: Authorization: Bearer hoptac_…")
        if not self.scopes.intersection(scopes):
            refusal = Forbidden(f"This operation requires a key with the scope {' or '.join(scopes)}.")
            refusal.reason = "missing_scope"
            raise refusal


ANONYMOUS = Caller()
