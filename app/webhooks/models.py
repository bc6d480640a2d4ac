"""Subscriptions to what changes, and the deliveries that follow from them: tables, what is accepted, what is shown."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import Boolean, Index, Integer, Table, Text, literal_column
from sqlmodel import Field, SQLModel

from app.core.database.engine import INITIAL_ROWS
from app.core.database.tables import BYTEWISE, SEQUENCE, in_codes, only_where
from app.core.log import PUBLIC_ACTION
from app.core.model.resource import RESOURCES
from app.core.values.codelists import Code, CodeList
from app.core.values.links import PartnerId

DAY = 86_400
STATE = CodeList(
    "webhook_state",
    "Whether a subscription is told.",
    {"active": Code("Active", "Đang gửi"), "disabled": Code("Disabled", "Đã dừng")},
)
BECAUSE = CodeList(
    "webhook_disabled_because",
    "Why a subscription is not told any more.",
    {
        "owner": Code("Its owner said so", "Chủ đăng ký yêu cầu"),
        "not_accepted": Code("An event was not accepted for 24 hours", "Không được nhận trong 24 giờ"),
        "gone": Code("The receiver answered 410 Gone", "Bên nhận trả lời 410 Gone"),
        "key_ended": Code("Its key was revoked or has expired", "Khóa đã bị thu hồi hoặc hết hạn"),
        "restored": Code("This is a backup that was restored", "Đây là bản sao lưu được khôi phục"),
    },
)
DELIVERY = CodeList(
    "delivery_state",
    "What became of an event for one subscription.",
    {
        "pending": Code("Not accepted yet", "Chưa được nhận"),
        "accepted": Code("Accepted with a 2xx", "Đã được nhận"),
        "failed": Code("Not accepted, and not tried again by itself", "Không được nhận, không tự gửi lại"),
    },
)


class Webhook(SQLModel, table=True):
    """A subscription. `behind`: the Change after which it has yet to be told; NULL: it goes with the cursor."""

    __tablename__ = "webhooks"
    __table_args__ = (in_codes("state", STATE), Index("ix_webhooks_behind", "behind"))

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    key: str = Field(sa_type=BYTEWISE, index=True)
    partner: str | None = Field(sa_type=BYTEWISE, index=True)
    url: str = Field(sa_type=Text)
    resources: str = Field(sa_type=Text, description="JSON list, as actions and partners are; empty: all.")
    actions: str = Field(sa_type=Text)
    partners: str = Field(sa_type=Text)
    state: str = Field(sa_type=BYTEWISE)
    disabled_because: str | None = Field(sa_type=BYTEWISE)
    disabled_at: str | None = Field(sa_type=BYTEWISE)
    secret: str = Field(sa_type=BYTEWISE)
    previous_secret: str | None = Field(sa_type=BYTEWISE)
    previous_until: str | None = Field(sa_type=BYTEWISE)
    created_at: str = Field(sa_type=BYTEWISE)
    updated_at: str = Field(sa_type=BYTEWISE)
    behind: int | None = Field(sa_type=SEQUENCE)
    failures: int = Field(sa_type=Integer, description="Attempts without success since the last one with.")
    failing_since: str | None = Field(sa_type=BYTEWISE)
    rest_until: str | None = Field(sa_type=BYTEWISE)
    last_accepted_at: str | None = Field(sa_type=BYTEWISE)


WHERE_PENDING = only_where("state = 'pending'")


class Delivery(SQLModel, table=True):
    """One event for one subscription; the id goes along as webhook-id. While an attempt runs, `due_at` is its lease.

    `once`: a test or a repetition, tried once, outside the order of its record.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        in_codes("state", DELIVERY),
        Index("ix_deliveries_webhook_created_at_id", "webhook", "created_at", "id"),
        Index("ix_deliveries_done_at", "done_at"),
        Index("ix_deliveries_webhook_due_at", "webhook", "due_at", **WHERE_PENDING),
        Index("ix_deliveries_due_at", "due_at", **WHERE_PENDING),
        Index("ix_deliveries_record", "webhook", "resource", "record_id", "sequence", **WHERE_PENDING),
    )

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    webhook: str = Field(sa_type=BYTEWISE)
    sequence: int | None = Field(sa_type=SEQUENCE)
    resource: str | None = Field(sa_type=BYTEWISE)
    record_id: str | None = Field(sa_type=BYTEWISE)
    payload: str = Field(sa_type=Text)
    state: str = Field(sa_type=BYTEWISE)
    once: bool = Field(sa_type=Boolean)
    attempts: int = Field(sa_type=Integer)
    created_at: str = Field(sa_type=BYTEWISE)
    due_at: str = Field(sa_type=BYTEWISE)
    first_attempt_at: str | None = Field(sa_type=BYTEWISE)
    last_attempt_at: str | None = Field(sa_type=BYTEWISE)
    done_at: str | None = Field(sa_type=BYTEWISE)
    status: int | None = Field(sa_type=Integer)
    error: str | None = Field(sa_type=Text)
    took_ms: int | None = Field(sa_type=Integer)


class WebhookCursor(SQLModel, table=True):
    """One row: the last Change that was looked at for all subscriptions that are not behind."""

    __tablename__ = "webhook_cursor"
    __table_args__ = {"info": {INITIAL_ROWS: True}}

    id: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    after: int = Field(sa_type=SEQUENCE)


WEBHOOKS: Table = SQLModel.metadata.tables["webhooks"]
DELIVERIES: Table = SQLModel.metadata.tables["deliveries"]
CURSOR: Table = SQLModel.metadata.tables["webhook_cursor"]
# Written out, not bound: only so does SQLite see that a partial index holds what is asked for.
IS_ACTIVE = WEBHOOKS.c.state == literal_column("'active'")
IS_PENDING = DELIVERIES.c.state == literal_column("'pending'")


def _resource(name: str) -> str:
    if name not in RESOURCES:
        raise ValueError("is not the name of a resource, such as projects")
    return name


def _name_resources(schema: dict[str, Any]) -> None:
    schema["items"]["enum"] = sorted(RESOURCES)


class WebhookFields(BaseModel):
    """What a subscriber says. A list that is empty leaves nothing out."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Described(min_length=1, max_length=2_000)] = Described(
        description="Where events are posted: https, a public address, port 443 or from 1024 on, no user, no fragment.",
        examples=["https://partner.example/hoptac"],
    )
    resources: list[Annotated[str, AfterValidator(_resource)]] = Described(
        default=[], max_length=50, description="Only records of these resources.", json_schema_extra=_name_resources
    )
    actions: list[Annotated[str, PUBLIC_ACTION]] = Described(
        default=[], max_length=10, description="Only these actions."
    )
    partners: list[PartnerId] = Described(
        default=[],
        max_length=50,
        description="Only records that name one of these partners, did so until this change, or are it.",
    )
    state: Annotated[str, STATE] = Described(
        default="active", description="Active again, it is told what it missed meanwhile too."
    )


class Rotated(BaseModel):
    """How a secret is rotated."""

    model_config = ConfigDict(extra="forbid")

    overlap: int = Described(default=DAY, ge=0, le=30 * DAY, description="Seconds that the old secret signs too.")


class WebhookShown(WebhookFields):
    """A subscription, without its secret, which nobody can read again."""

    id: str
    key: str = Described(description="Id of the key that it belongs to.")
    partner: str | None = Described(description="The key's partner, whose other keys see and change it too.")
    disabled_because: Annotated[str, BECAUSE] | None
    disabled_at: str | None
    created_at: str
    updated_at: str
    failing_since: str | None = Described(description="First attempt without success since the last one with.")
    last_accepted_at: str | None
    previous_until: str | None = Described(description="Until when the secret before the last rotation signs too.")


class WebhookCreated(WebhookShown):
    """A subscription with its secret, which is shown this once."""

    secret: str = Described(description="For the signatures: as Standard Webhooks has it.", examples=["whsec_<base64>"])


class Told(BaseModel):
    """What an event is about."""

    resource: str = Described(examples=["projects"])
    id: str
    version: int
    sequence: int = Described(description="Number of the change, as in /v1/changes.")
    url: str = Described(description="Where the record is read; a path if the registry was not told its address.")


class Tested(BaseModel):
    """What a test is about."""

    webhook: str = Described(description="Id of the subscription.")


class Event(BaseModel):
    """What is posted to a subscriber: which record changed, and where to read it."""

    type: str = Described(
        description="Kind of record and what was done to it, or webhook.test.", examples=["project.updated"]
    )
    timestamp: str = Described(description="When it was written.")
    data: Told | Tested


class DeliveryShown(BaseModel):
    """An event for one subscription, and what became of it."""

    id: str = Described(description="The same on each attempt: sent as webhook-id.")
    event: Event
    state: Annotated[str, DELIVERY]
    attempts: int
    created_at: str
    due_at: str | None = Described(description="When the next attempt is made, or the one under way is given up.")
    first_attempt_at: str | None
    last_attempt_at: str | None
    done_at: str | None
    status: int | None = Described(description="HTTP status of the last attempt's answer.")
    error: str | None = Described(description="Why the last attempt did not succeed.")
    took_ms: int | None = Described(description="Milliseconds that the last attempt took.")


Listed = Literal["resources", "actions", "partners"]
LISTS: tuple[Listed, ...] = ("resources", "actions", "partners")


def fields_of(row: Any) -> dict[str, Any]:
    """What a subscriber said, from the columns of a subscription by name."""
    return {name: json.loads(row[name]) if name in LISTS else row[name] for name in WebhookFields.model_fields}


def webhook_shown(row: Any) -> dict[str, Any]:
    """A subscription as WebhookShown, from its columns by name."""
    return {name: json.loads(row[name]) if name in LISTS else row[name] for name in WebhookShown.model_fields}


def delivery_shown(row: Any) -> dict[str, Any]:
    """A delivery as DeliveryShown, from its columns by name."""
    shown = {name: row[name] for name in DeliveryShown.model_fields if name != "event"}
    due = row["due_at"] if row["state"] == "pending" else None
    return {**shown, "due_at": due, "event": json.loads(row["payload"])}
