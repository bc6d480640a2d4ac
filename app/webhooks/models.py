"""Subscriptions and deliveries: their tables, the body that a subscriber sends, and what the API shows.

The body of an event itself is in `events`.
"""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import Boolean, Index, Integer, Table, Text, TypeDecorator, literal_column
from sqlmodel import Field, SQLModel

from app.core.change_log import PUBLIC_ACTION
from app.core.database.engine import INITIAL_ROWS
from app.core.database.tables import BYTEWISE, SEQUENCE, in_codes, only_where
from app.core.model.resource import RESOURCES
from app.core.values.codelists import Code, CodeList
from app.core.values.links import PartnerId
from app.webhooks.events import Event

STATE = CodeList(
    "webhook_state",
    "Whether a subscription receives events.",
    {"active": Code("Active", "Đang gửi"), "disabled": Code("Disabled", "Đã dừng")},
)
BECAUSE = CodeList(
    "webhook_disabled_because",
    "Why a subscription was disabled.",
    {
        "owner": Code("Its owner disabled it", "Chủ đăng ký yêu cầu"),
        "not_accepted": Code("An event was not accepted for 24 hours", "Không được nhận trong 24 giờ"),
        "gone": Code("The receiver answered 410 Gone", "Bên nhận trả lời 410 Gone"),
        "key_ended": Code("Its key was revoked or has expired", "Khóa đã bị thu hồi hoặc hết hạn"),
        "restored": Code("The registry was restored from a backup", "Đây là bản sao lưu được khôi phục"),
    },
)
DELIVERY = CodeList(
    "delivery_state",
    "State of one event for one subscription.",
    {
        "pending": Code("Not accepted yet", "Chưa được nhận"),
        "accepted": Code("Accepted with a 2xx status", "Đã được nhận"),
        "failed": Code("Not accepted; there is no further attempt", "Không được nhận, không tự gửi lại"),
    },
)


class TextList(TypeDecorator[list[str]]):
    """A column with a list of texts, stored as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, _dialect: object) -> str:
        return json.dumps(value)

    def process_result_value(self, value: str | None, _dialect: object) -> list[str]:
        texts: list[str] = json.loads(value or "[]")
        return texts


class Webhook(SQLModel, table=True):
    """A subscription.

    `behind` is the last Change for which its deliveries were made. It is NULL while the subscription keeps up with
    the common cursor. `failures` counts the failed attempts since the last success, `failing_since` is the time of
    the first of them. There is no attempt before `rest_until`.
    """

    __tablename__ = "webhooks"
    __table_args__ = (in_codes("state", STATE), Index("ix_webhooks_behind", "behind"))

    id: str = Field(sa_type=BYTEWISE, primary_key=True)
    key: str = Field(sa_type=BYTEWISE, index=True)
    partner: str | None = Field(default=None, sa_type=BYTEWISE, index=True)
    url: str = Field(sa_type=Text)
    resources: list[str] = Field(sa_type=TextList)
    actions: list[str] = Field(sa_type=TextList)
    partners: list[str] = Field(sa_type=TextList)
    state: str = Field(sa_type=BYTEWISE)
    disabled_because: str | None = Field(default=None, sa_type=BYTEWISE)
    disabled_at: str | None = Field(default=None, sa_type=BYTEWISE)
    secret: str = Field(sa_type=BYTEWISE)
    previous_secret: str | None = Field(default=None, sa_type=BYTEWISE)
    previous_until: str | None = Field(default=None, sa_type=BYTEWISE)
    created_at: str = Field(sa_type=BYTEWISE)
    updated_at: str = Field(sa_type=BYTEWISE)
    behind: int | None = Field(default=None, sa_type=SEQUENCE)
    failures: int = Field(default=0, sa_type=Integer)
    failing_since: str | None = Field(default=None, sa_type=BYTEWISE)
    rest_until: str | None = Field(default=None, sa_type=BYTEWISE)
    last_accepted_at: str | None = Field(default=None, sa_type=BYTEWISE)


WHERE_PENDING = only_where("state = 'pending'")


class Delivery(SQLModel, table=True):
    """One event for one subscription. The id is sent as `webhook-id`.

    During an attempt, `due_at` is the end of its lease. `once` marks a test or a repetition. It is tried only once,
    and does not wait for earlier events of its record.
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
    sequence: int | None = Field(default=None, sa_type=SEQUENCE)
    resource: str | None = Field(default=None, sa_type=BYTEWISE)
    record_id: str | None = Field(default=None, sa_type=BYTEWISE)
    payload: str = Field(sa_type=Text)
    state: str = Field(sa_type=BYTEWISE)
    once: bool = Field(sa_type=Boolean)
    attempts: int = Field(sa_type=Integer)
    created_at: str = Field(sa_type=BYTEWISE)
    due_at: str = Field(sa_type=BYTEWISE)
    first_attempt_at: str | None = Field(default=None, sa_type=BYTEWISE)
    last_attempt_at: str | None = Field(default=None, sa_type=BYTEWISE)
    done_at: str | None = Field(default=None, sa_type=BYTEWISE)
    status: int | None = Field(default=None, sa_type=Integer)
    error: str | None = Field(default=None, sa_type=Text)
    took_ms: int | None = Field(default=None, sa_type=Integer)

    @property
    def event(self) -> Any:
        """The payload as a value."""
        return json.loads(self.payload)


class WebhookCursor(SQLModel, table=True):
    """The common cursor, one row: the last Change that was read for all subscriptions that are not behind."""

    __tablename__ = "webhook_cursor"
    __table_args__ = {"info": {INITIAL_ROWS: True}}

    id: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    after: int = Field(sa_type=SEQUENCE)


WEBHOOKS: Table = SQLModel.metadata.tables["webhooks"]
DELIVERIES: Table = SQLModel.metadata.tables["deliveries"]
CURSOR: Table = SQLModel.metadata.tables["webhook_cursor"]
# Literals, not bound parameters: otherwise SQLite does not see that it can use a partial index.
IS_ACTIVE = WEBHOOKS.c.state == literal_column("'active'")
IS_PENDING = DELIVERIES.c.state == literal_column("'pending'")


def _check_resource(name: str) -> str:
    if name not in RESOURCES:
        raise ValueError("This is not the name of a resource, such as projects.")
    return name


def _list_resources(schema: dict[str, Any]) -> None:
    schema["items"]["enum"] = sorted(RESOURCES)


class WebhookFields(BaseModel):
    """The members of a subscription that a subscriber sets."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Described(min_length=1, max_length=2_000)] = Described(
        description="URL to which events are posted. It uses https, a public address, port 443 or 1024 to 65535, "
        "and has no user name and no fragment.",
        json_schema_extra={"format": "uri"},
        examples=["https://partner.example/hoptac"],
    )
    resources: list[Annotated[str, AfterValidator(_check_resource)]] = Described(
        default=[],
        max_length=50,
        description="Send only events of these resources. An empty list means all.",
        json_schema_extra=_list_resources,
    )
    actions: list[Annotated[str, PUBLIC_ACTION]] = Described(
        default=[], max_length=10, description="Send only events of these actions. An empty list means all."
    )
    partners: list[PartnerId] = Described(
        default=[],
        max_length=50,
        description="Send only events of records that link to one of these partners, linked to one before the change, "
        "or are one of them. An empty list means all records.",
    )
    state: Annotated[str, STATE] = Described(
        default="active",
        description="A disabled subscription that becomes active again also receives the events it missed.",
    )


class WebhookShown(WebhookFields):
    """A subscription without its secret, which cannot be read again."""

    id: str = Described(description="Id of the subscription, which is part of its path.")
    key: str = Described(description="Id of the key to which the subscription belongs.")
    partner: str | None = Described(description="Partner of the key. Its other keys can read and change it too.")
    disabled_because: Annotated[str, BECAUSE] | None = Described(
        description="Why it receives no events: a code of the list `webhook_disabled_because`; null while it is active."
    )
    disabled_at: str | None = Described(description="Time at which it was disabled; null while it is active.")
    created_at: str = Described(description="Time at which the subscription was created (RFC 3339, UTC).")
    updated_at: str = Described(description="Time of the last change of its URL, filters or state (RFC 3339, UTC).")
    failing_since: str | None = Described(description="Time of the first failed attempt since the last success.")
    last_accepted_at: str | None = Described(description="Time of the last success.")
    previous_until: str | None = Described(
        description="Time until which messages are also signed with the previous secret."
    )


class WebhookCreated(WebhookShown):
    """A subscription with its secret. No other response contains the secret."""

    secret: str = Described(
        description="Secret for verifying signatures, as Standard Webhooks defines them.", examples=["whsec_<base64>"]
    )


class DeliveryShown(BaseModel, defer_build=True):
    """One event for one subscription, with the result of its last attempt."""

    id: str = Described(description="Id of the message, the same for each attempt. It is sent as `webhook-id`.")
    state: Annotated[str, DELIVERY] = Described(
        description="Whether the receiver accepted the event: a code of the list `delivery_state`."
    )
    attempts: int = Described(description="Number of attempts so far.")
    created_at: str = Described(description="Time at which the event was put into the queue (RFC 3339, UTC).")
    due_at: str | None = Described(
        description="Time of the next attempt. During an attempt: time at which it is treated as failed."
    )
    first_attempt_at: str | None = Described(description="Time of the first attempt; null before it.")
    last_attempt_at: str | None = Described(description="Time of the latest attempt; null before the first one.")
    done_at: str | None = Described(description="Time at which it was accepted or failed for good.")
    status: int | None = Described(description="HTTP status of the response to the last attempt.")
    error: str | None = Described(description="Why the last attempt failed.")
    took_ms: int | None = Described(description="Duration of the last attempt in milliseconds.")
    event: Event = Described(description="The body that is sent.")


def webhook_shown(webhook: Webhook) -> WebhookShown:
    """Return a subscription as the API shows it."""
    return WebhookShown.model_validate(webhook, from_attributes=True)


def webhook_created(webhook: Webhook) -> WebhookCreated:
    """Return a subscription together with its secret."""
    return WebhookCreated.model_validate(webhook, from_attributes=True)


def delivery_shown(delivery: Delivery) -> DeliveryShown:
    """Return a delivery as the API shows it. Only a pending one is due."""
    model = DeliveryShown.model_validate(delivery, from_attributes=True)
    return model if delivery.state == "pending" else model.model_copy(update={"due_at": None})
