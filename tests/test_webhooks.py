"""Webhooks: subscribers are told what changed, signed, at least once, in order; whatever receivers do."""

import asyncio
import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest
import standardwebhooks
from sqlalchemy import event, func, insert, select, update
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.core.asgi import refusal_log
from app.core.asgi.usage_table import UsageTable
from app.core.change_log import CHANGES, instant
from app.core.database.engine import Database
from app.core.errors import TooMany
from app.core.model.resource import RESOURCES
from app.webhooks import client as webhook_client
from app.webhooks import fan_out, limits, pruning, queue, sender, subscriptions
from app.webhooks.events import partners_concerned
from app.webhooks.models import CURSOR, DELIVERIES, WEBHOOKS
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of, problem
from tests.support.keys import Key, change_key, id_of, key_of
from tests.support.receivers import (
    ALLOWED,
    Receiver,
    accept,
    dead_port,
    drip,
    fail,
    fail_at_first,
    hang,
    in_turn,
    interim,
    large,
    receiving,
    redirect_to,
)
from tests.support.records import PARTNER
from tests.support.subscriptions import Headers, deliveries, put_project, subscribe
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_webhooks")


@pytest.fixture
def registry_settings() -> dict[str, object]:
    return {**ALLOWED, "public_url": "https://hoptac.test"}


@pytest.fixture
def subscriber(seeded_database: Database) -> Headers:
    return key_of(seeded_database, "webhooks")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def shown(client: TestClient, key: Headers, made: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/v1/webhooks/{made['id']}", headers=key).json()
    return answer


# Events


def test_what_changes_is_told_thinly_signed_and_at_once(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    began = time.time()
    put_project(registry, editor)
    message = receiver.wait(1)[0]
    assert message.at - began < 60
    told = message.verified(made["secret"])
    sequence = told["data"]["sequence"]
    assert told["type"] == "project.created"
    assert told["data"] == {
        "resource": "projects",
        "id": "green-ports",
        "version": 1,
        "sequence": sequence,
        "url": "https://hoptac.test/v1/projects/green-ports",
    }
    assert told["timestamp"] == registry.get("/v1/projects/green-ports").json()["created_at"]
    assert (message.id, message.headers["content-type"]) == (f"{made['id']}-{sequence}", "application/json")
    assert message.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_the_contract_says_what_is_posted(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    put_project(registry, editor)
    assert registry.post(f"/v1/webhooks/{made['id']}/test", headers=subscriber).status_code == 202
    contract = registry.get("/openapi.json").json()
    operation = contract["webhooks"]["event"]["post"]
    types = contract["components"]["schemas"]["Event"]["properties"]["type"]["enum"]
    assert len(types) == len(RESOURCES) * 4 + 1
    for message in receiver.wait(2):
        assert json.loads(message.body)["type"] in types
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        check = jsonschema_rs.Draft202012Validator({**schema, "components": contract["components"]})
        assert [error.message for error in check.iter_errors(json.loads(message.body))] == []
        names = [each["$ref"].rpartition("/")[2] for each in operation["parameters"]]
        assert set(names) <= set(message.headers)
    shape = {"$ref": "#/components/schemas/DeliveryPage", "components": contract["components"]}
    told = registry.get(f"/v1/webhooks/{made['id']}/deliveries", headers=subscriber).json()
    assert [error.message for error in jsonschema_rs.Draft202012Validator(shape).iter_errors(told)] == []


def test_a_message_that_was_changed_is_no_longer_signed(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    put_project(registry, editor)
    message = receiver.wait(1)[0]
    library = standardwebhooks.Webhook(made["secret"])
    for body, headers in (
        (message.body + b" ", message.headers),
        (message.body, {**message.headers, "webhook-id": "another"}),
        (message.body, {**message.headers, "webhook-timestamp": str(int(time.time()) + 1)}),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            library.verify(body, headers)


def test_all_that_happens_to_a_record_is_told_in_order_and_what_happens_to_drafts_is_not(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    put_project(registry, editor, state="draft")
    put_project(registry, editor, state="draft", title="Harbours")
    put_project(registry, editor, title="Harbours")
    put_project(registry, editor, title="Green harbours")
    put_project(registry, editor, state="draft", title="Withdrawn")
    put_project(registry, editor, title="Again")
    assert registry.delete("/v1/projects/green-ports", headers={**editor, "If-Match": "*"}).status_code == 204
    put_project(registry, editor, "the-last")
    events = [message.verified(made["secret"]) for message in receiver.wait(6)]
    told = [each["type"] for each in events if each["data"]["id"] == "green-ports"]
    assert told == [f"project.{verb}" for verb in ("created", "updated", "deleted", "created", "deleted")]
    assert "Withdrawn" not in str([message.body for message in receiver.messages])


def test_subscriptions_choose_by_resource_action_and_partner(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    put_project(
        registry,
        editor,
        "with-seco",
        roles=[{"partner": "seco", "role": "funding"}],
        managed_by=None,
        citations=cited(),
    )
    subscribe(registry, subscriber, receiver.url + "/indicators", resources=["indicators"])
    subscribe(registry, subscriber, receiver.url + "/deleted", actions=["delete"])
    subscribe(registry, subscriber, receiver.url + "/seco", partners=["seco"])
    put_project(registry, editor, "without-seco")
    put_project(registry, editor, "with-seco", title="Another", managed_by=None, citations=cited())  # names it no more
    put_project(registry, editor, "with-seco", title="A third", managed_by=None, citations=cited())
    put_project(registry, editor, "keeps", managed_by="seco")
    patched = {**editor, "If-Match": "*", "Content-Type": "application/merge-patch+json"}
    assert registry.patch("/v1/partners/seco", content='{"abbreviation": "S"}', headers=patched).status_code == 200
    put_project(registry, editor, "without-seco", state="draft")
    told = [message.body for message in receiver.wait(4)]
    time.sleep(0.3)
    kinds = sorted((json.loads(body)["type"], json.loads(body)["data"]["id"]) for body in told)
    assert kinds == [
        ("partner.updated", "seco"),
        ("project.created", "keeps"),
        ("project.deleted", "without-seco"),
        ("project.updated", "with-seco"),
    ]
    assert len(receiver.messages) == 4


def cited() -> list[dict[str, Any]]:
    return [{"document": "samsung-smart-factory-2023", "paragraph": 11, "as_written": "50 doanh nghiệp"}]


def test_nothing_from_before_a_subscription_is_told(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    put_project(registry, editor, "before")
    made = subscribe(registry, subscriber, receiver.url)
    put_project(registry, editor, "after")
    receiver.wait(1)
    assert [message.verified(made["secret"])["data"]["id"] for message in receiver.messages] == ["after"]


def test_a_subscription_that_catches_up_has_no_other_told_of_the_past(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    old = subscribe(registry, subscriber, receiver.url, state="disabled")
    put_project(registry, editor, "early")
    new = subscribe(registry, subscriber, receiver.url)
    patch(registry, subscriber, old, state="active")
    put_project(registry, editor, "late")
    receiver.wait(3)
    time.sleep(0.3)
    told = sorted((message.id.split("-")[0], json.loads(message.body)["data"]["id"]) for message in receiver.messages)
    assert told == sorted([(old["id"], "early"), (old["id"], "late"), (new["id"], "late")])


# Receivers


@pytest.mark.parametrize(
    "behaviour", [fail_at_first(3), in_turn(hang, accept), in_turn(drip, accept)], ids=["fails", "hangs", "drips"]
)
def test_what_is_not_accepted_is_sent_again_under_its_id(
    registry: TestClient, subscriber: Headers, editor: Headers, behaviour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_client, "DEADLINE", 2)
    with receiving(behaviour) as receiver:
        made = subscribe(registry, subscriber, receiver.url)
        put_project(registry, editor)
        eventually(lambda: [each["state"] for each in deliveries(registry, subscriber, made)] == ["accepted"])
        assert len({message.id for message in receiver.messages}) == 1
        for message in receiver.messages:
            assert message.verified(made["secret"])["data"]["id"] == "green-ports"
        told = deliveries(registry, subscriber, made)[0]
        assert told["attempts"] == len(receiver.messages) >= 2
        assert (told["status"], told["error"], told["due_at"]) == (204, None, None)
        assert shown(registry, subscriber, made)["failing_since"] is None


def test_a_redirect_is_not_followed(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    with receiving(redirect_to(receiver.url)) as redirecting:
        made = subscribe(registry, subscriber, redirecting.url)
        put_project(registry, editor)
        redirecting.wait(3)
        told = deliveries(registry, subscriber, made)[0]
        assert (told["status"], told["error"]) == (307, "Redirects are not followed.")
    assert receiver.messages == []


def test_of_a_large_answer_little_is_read(registry: TestClient, subscriber: Headers, editor: Headers) -> None:
    with receiving(large) as receiver:
        made = subscribe(registry, subscriber, receiver.url)
        put_project(registry, editor)
        eventually(lambda: [each["state"] for each in deliveries(registry, subscriber, made)] == ["accepted"])
        assert deliveries(registry, subscriber, made)[0]["status"] == 200


def test_interim_responses_without_end_are_left(
    registry: TestClient, subscriber: Headers, editor: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are parsed in the event loop: sixty such receivers stopped it for five seconds."""
    monkeypatch.setattr(webhook_client, "DEADLINE", 3_600)
    with receiving(interim) as receiver:
        made = subscribe(registry, subscriber, receiver.url)
        put_project(registry, editor)
        error = "The connection was closed early, or the response is not HTTP."
        eventually(lambda: [each["error"] for each in deliveries(registry, subscriber, made)] == [error])


def test_a_dead_receiver_delays_no_other_and_one_bad_record_no_other(
    registry: TestClient,
    subscriber: Headers,
    editor: Headers,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_client, "DEADLINE", 60)

    def poisoned(handler: Any, _: int) -> None:
        handler.answer(500 if b"poison" in handler.server.receiver.messages[-1].body else 204)

    with receiving(hang) as hanging, receiving(poisoned) as choosing:
        for _ in range(20):
            subscribe(registry, subscriber, hanging.url)
        subscribe(registry, subscriber, f"http://127.0.0.1:{dead_port()}/")
        subscribe(registry, subscriber, receiver.url)
        subscribe(registry, subscriber, choosing.url)
        put_project(registry, editor, "poison")
        for number in range(10):
            began = time.time()
            put_project(registry, editor, f"fine-{number}")
            assert receiver.wait(number + 2)[-1].at - began < 25  # the others hang for 30 seconds
        eventually(lambda: sum(b"fine" in message.body for message in choosing.messages) == 10)


def test_slow_receivers_of_a_key_do_not_delay_the_events_of_another(
    registry: TestClient,
    seeded_database: Database,
    subscriber: Headers,
    editor: Headers,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A receiver that was quick at first may have several attempts at the same time, of which all can then be slow."""
    monkeypatch.setattr(webhook_client, "DEADLINE", 60)
    monkeypatch.setattr(sender, "MAX_RUNNING", 8)
    monkeypatch.setattr(sender, "MAX_OF_KEY", 4)
    with receiving(lambda handler, number: (accept if number <= 3 else hang)(handler, number)) as slow:
        for _ in range(3):
            subscribe(registry, subscriber, slow.url)
        put_project(registry, editor, "first")
        slow.wait(3)
        other = key_of(seeded_database, "webhooks")
        subscribe(registry, other, receiver.url)
        for number in range(12):
            put_project(registry, editor, f"later-{number}")
        began = time.time()
        assert receiver.wait(12)[-1].at - began < 20  # the others hang for 30 seconds
        assert len(slow.messages) <= 3 + 4


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 3_000,
        b"HTTP/1.1 103 E\r\n\r\n" * 880 + b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["chunks of one byte", "interim responses"],
)
def test_many_small_parts_of_a_response_cost_little(response: bytes) -> None:
    """They are parsed in the event loop. A parser in Python took 5 to 11 ms for each."""

    async def read() -> int | None:
        reader = asyncio.StreamReader()
        reader.feed_data(response)
        reader.feed_eof()
        received = webhook_client.ReceiverResponse()
        await received.read(reader)
        return received.status

    async def read_often() -> set[int | None]:
        return {await read() for _ in range(50)}

    began = time.process_time()
    assert asyncio.run(read_often()) == {200}
    assert time.process_time() - began < 0.15


def test_failed_calls_of_a_key_do_not_fill_the_log(
    registry: TestClient, subscriber: Headers, editor: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusal_log, "MAX_LINES", 3)
    with (
        receiving(lambda handler, number: handler.answer(500 if number % 2 else 204)) as receiver,
        capture_logs() as logs,
    ):
        subscribe(registry, subscriber, receiver.url)
        for number in range(6):
            put_project(registry, editor, f"flaky-{number}")
        receiver.wait(12)
    lines = [line for line in logs if line["event"] == "webhook call failed"]
    assert [line["key"] for line in lines] == [id_of(subscriber)] * 3


def test_slow_subscriptions_that_were_deleted_are_forgotten(
    seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MAX_IN_ALL", 2)
    nothing: Any = None
    sending = sender.Sender(seeded_database, nothing, nothing)
    for number in range(5):
        sending._note_speed(f"slow-{number}", sender.SLOW_MS + 1)
    sending._note_speed("slow-4", sender.SLOW_MS)
    assert sending._slow == set()


def test_lookups_that_do_not_end_count_for_their_key() -> None:
    """Their threads are occupied, whether or not the attempt is over."""
    webhooks = [SimpleNamespace(id=key, key=key, failures=0, last_accepted_at="2026-01-01") for key in "ab"]
    free = sender.FreeAttempts([], [], Counter(a=sender.MAX_OF_KEY - 1))
    assert [free.of(webhook) for webhook in webhooks] == [1, queue.MAX_CLAIMED]
    assert free.in_all() == sender.MAX_RUNNING - sender.MAX_OF_KEY + 1
    free.take(webhooks[0], 1)
    assert [free.of(webhook) for webhook in webhooks] == [0, queue.MAX_CLAIMED]


def test_a_later_event_of_a_record_waits_until_the_earlier_one_was_accepted(
    registry: TestClient, subscriber: Headers, editor: Headers
) -> None:
    with receiving(fail_at_first(4)) as receiver:
        made = subscribe(registry, subscriber, receiver.url)
        for number in range(5):
            put_project(registry, editor, title=f"Version {number}")
        accepted = ["accepted"] * 5
        eventually(lambda: [each["state"] for each in deliveries(registry, subscriber, made)] == accepted)
        versions = [json.loads(message.body)["data"]["version"] for message in receiver.messages]
        assert versions == [1, 1, 1, 1, 1, 2, 3, 4, 5]


# Giving up, and going on


def past(database: Database, made: dict[str, Any], hours: float) -> None:
    """Everything that was tried happened so much earlier."""
    at = instant(datetime.now(UTC) - timedelta(hours=hours))
    with database.engine.begin() as connection:
        own = update(DELIVERIES).where(DELIVERIES.c.webhook == made["id"], DELIVERIES.c.first_attempt_at.is_not(None))
        connection.execute(own.values(first_attempt_at=at))


def test_after_24_hours_without_success_a_subscription_is_disabled_and_goes_on_later_without_a_gap(
    registry: TestClient, seeded_database: Database, subscriber: Headers, editor: Headers
) -> None:
    with receiving(fail) as receiver:
        made = subscribe(registry, subscriber, receiver.url)
        put_project(registry, editor, "one")
        put_project(registry, editor, "two")
        receiver.wait(3)
        assert shown(registry, subscriber, made)["state"] == "active"
        past(seeded_database, made, 23.9)
        time.sleep(0.5)
        assert shown(registry, subscriber, made)["state"] == "active"
        past(seeded_database, made, 24)
        eventually(lambda: shown(registry, subscriber, made)["state"] == "disabled")
        told = shown(registry, subscriber, made)
        assert told["disabled_because"] == "not_accepted"
        assert told["disabled_at"] > told["failing_since"]
        assert {each["state"] for each in deliveries(registry, subscriber, made)} == {"failed"}
        put_project(registry, editor, "three")
        time.sleep(0.5)
        count = len(receiver.messages)
        receiver.behaviour = accept
        patched = patch(registry, subscriber, made, state="active")
        assert (patched["state"], patched["disabled_because"]) == ("active", None)
        receiver.wait(count + 3)
        assert {json.loads(each.body)["data"]["id"] for each in receiver.messages[count:]} == {"one", "two", "three"}
        eventually(lambda: all(each["state"] == "accepted" for each in deliveries(registry, subscriber, made)))


def patch(client: TestClient, key: Headers, made: dict[str, Any], status: int = 200, **said: Any) -> dict[str, Any]:
    headers = {**key, "Content-Type": "application/merge-patch+json"}
    answer = client.patch(f"/v1/webhooks/{made['id']}", content=json.dumps(said), headers=headers)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_receiver_that_is_gone_is_told_nothing_more(
    registry: TestClient, subscriber: Headers, editor: Headers
) -> None:
    with receiving(lambda handler, _: handler.answer(410)) as receiver:
        made = subscribe(registry, subscriber, receiver.url)
        put_project(registry, editor)
        eventually(lambda: shown(registry, subscriber, made)["disabled_because"] == "gone")
        put_project(registry, editor, "another")
        time.sleep(0.3)
        assert len(receiver.messages) == 1


def test_what_was_paused_by_its_owner_catches_up(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    other = subscribe(registry, subscriber, receiver.url + "/other")
    assert patch(registry, subscriber, made, state="disabled")["disabled_because"] == "owner"
    for number in range(3):
        put_project(registry, editor, title=f"Version {number}")
    receiver.wait(3)
    assert {message.id.split("-")[0] for message in receiver.messages} == {other["id"]}
    patch(registry, subscriber, made, state="active")
    put_project(registry, editor, title="Version 3")
    receiver.wait(8)
    own = [json.loads(each.body)["data"]["version"] for each in receiver.messages if each.id.startswith(made["id"])]
    assert own == [1, 2, 3, 4]
    assert len(receiver.messages) == 8


def test_a_revoked_key_stops_its_subscriptions_until_its_partner_takes_them_over(
    registry: TestClient, seeded_database: Database, editor: Headers, receiver: Receiver
) -> None:
    old = key_of(seeded_database, "webhooks", partner="unido")
    new = key_of(seeded_database, "webhooks", partner="unido")
    made = subscribe(registry, old, receiver.url)
    change_key(seeded_database, old, revoked_at="2020-01-01T00:00:00.000000Z")
    put_project(registry, editor)
    eventually(lambda: shown(registry, new, made)["disabled_because"] == "key_ended")
    assert receiver.messages == []
    admin = key_of(seeded_database, "keys")
    patch(registry, admin, made, 409, state="active")
    assert patch(registry, new, made, state="active")["key"] == id_of(new)
    assert receiver.wait(1)[0].verified(made["secret"])["data"]["id"] == "green-ports"


def test_subscriptions_go_on_with_the_partner_that_theirs_was_merged_into(
    registry: TestClient, seeded_database: Database, editor: Headers, receiver: Receiver
) -> None:
    old = key_of(seeded_database, "webhooks", partner="seco")
    made = subscribe(registry, old, receiver.url, partners=["seco", "moit"])
    merged = registry.post("/v1/partners/seco/merge", json={"into": "unido"}, headers=editor)
    assert merged.status_code == 200, merged.text
    assert shown(registry, key_of(seeded_database, "webhooks", partner="unido"), made)["partners"] == ["moit", "unido"]
    put_project(registry, editor)
    eventually(lambda: any(b"green-ports" in each.body for each in receiver.messages), 60)


@pytest.mark.parametrize(("limit", "value"), [("MAX_WAITING_DELIVERIES", 3), ("MAX_WAITING_OF_KEY", 6)])
def test_too_much_waiting_makes_a_subscription_fall_behind_and_nothing_is_missed(
    registry: TestClient,
    seeded_database: Database,
    subscriber: Headers,
    editor: Headers,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
) -> None:
    monkeypatch.setattr(fan_out, limit, value)  # two subscriptions share that of the key
    monkeypatch.setattr(fan_out, "BATCH", 2)
    with receiving(fail) as receiver, receiving() as other:
        made = subscribe(registry, subscriber, receiver.url)
        subscribe(registry, subscriber, other.url)
        for number in range(12):
            put_project(registry, editor, f"port-{number}")
        other.wait(12)
        assert 0 < len(deliveries(registry, subscriber, made)) <= 4
        receiver.behaviour = accept
        eventually(lambda: len(deliveries(registry, subscriber, made, "?state=accepted")) == 12)
        with seeded_database.engine.connect() as connection:
            assert connection.execute(select(WEBHOOKS.c.behind)).scalars().all() == [None, None]
            last = connection.execute(select(func.max(CHANGES.c.sequence))).scalar()
            assert connection.execute(select(CURSOR.c.after)).scalar() == last


# Secrets


def test_while_a_secret_is_exchanged_both_sign(
    registry: TestClient, seeded_database: Database, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    path = f"/v1/webhooks/{made['id']}/rotate"
    again = registry.post(path, json={"overlap": 3600}, headers=subscriber).json()
    assert again["secret"] != made["secret"]
    assert again["previous_until"] > instant(datetime.now(UTC))
    for secret in (made["secret"], again["secret"]):
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    put_project(registry, editor)
    message = receiver.wait(1)[0]
    assert len(message.headers["webhook-signature"].split(" ")) == 2
    assert message.verified(made["secret"]) == message.verified(again["secret"])
    with seeded_database.write() as session:
        session.execute(update(WEBHOOKS).values(previous_until="2020-01-01T00:00:00.000000Z"))
    put_project(registry, editor, "another")
    message = receiver.wait(2)[1]
    assert message.verified(again["secret"])["data"]["id"] == "another"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        message.verified(made["secret"])


def test_a_secret_is_shown_only_when_it_is_made(registry: TestClient, subscriber: Headers, receiver: Receiver) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries"):
        answer = registry.get(f"/v1/webhooks{path}", headers=subscriber)
        assert answer.status_code == 200
        assert "whsec_" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


# Deliveries


def test_deliveries_are_read_page_by_page_the_latest_first(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    for number in range(5):
        put_project(registry, editor, f"port-{number}")
    receiver.wait(5)
    found, path = [], f"/v1/webhooks/{made['id']}/deliveries?limit=2"
    while path:
        page = registry.get(path, headers=subscriber).json()
        found += page["items"]
        path = page["next"]
    assert [each["event"]["data"]["id"] for each in found] == [f"port-{number}" for number in (4, 3, 2, 1, 0)]
    assert [each["id"] for each in found] == list(dict.fromkeys(each["id"] for each in found))
    eventually(lambda: deliveries(registry, subscriber, made, "?state=pending") == [])


def test_a_test_and_a_repetition_are_sent_once(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    answer = registry.post(f"{path}/test", headers=subscriber)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    told = receiver.wait(1)[0].verified(made["secret"])
    assert (told["type"], told["data"]) == ("webhook.test", {"webhook": made["id"]})
    put_project(registry, editor)
    first = receiver.wait(2)[1]
    eventually(lambda: deliveries(registry, subscriber, made, "?state=pending") == [])
    receiver.behaviour = fail
    answer = registry.post(f"{path}/deliveries/{first.id}/repeat", headers=subscriber)
    assert answer.status_code == 202, answer.text
    again = receiver.wait(3)[2]
    assert (again.id, again.body) == (first.id, first.body)
    eventually(lambda: [each["id"] for each in deliveries(registry, subscriber, made, "?state=failed")] == [first.id])
    time.sleep(0.5)
    assert len(receiver.messages) == 3
    assert shown(registry, subscriber, made)["failing_since"] is None


def test_what_is_old_is_removed(seeded_database: Database) -> None:
    old, young = instant(datetime.now(UTC) - timedelta(days=8)), instant(datetime.now(UTC) - timedelta(days=6))
    with seeded_database.engine.begin() as connection:
        rows = [queue.new_delivery(name, "k2v9x0q4ma", "{}", old) for name in ("old", "young", "pending")]
        for row, done in zip(rows, (old, young, None), strict=True):
            row.update(done_at=done, state="pending" if done is None else "accepted")
        connection.execute(insert(DELIVERIES), rows)
        assert pruning.delete_done(connection) is False
        assert set(connection.execute(select(DELIVERIES.c.id)).scalars()) == {"young", "pending"}


def test_deliveries_are_sent_that_a_clock_far_ahead_has_delayed(
    registry: TestClient, subscriber: Headers, seeded_database: Database, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    ahead = {name: instant(datetime.now(UTC) + timedelta(hours=hours)) for name, hours in (("far", 24), ("near", 1))}
    with seeded_database.engine.begin() as connection:
        rows = [{**queue.new_delivery(name, made["id"], "{}", at), "attempts": 1} for name, at in ahead.items()]
        connection.execute(insert(DELIVERIES), rows)
        connection.execute(update(WEBHOOKS).values(rest_until=ahead["far"]))
    pruning.correct_due_times(seeded_database)
    with seeded_database.engine.begin() as connection:
        due = select(DELIVERIES.c.id).where(DELIVERIES.c.due_at > instant(datetime.now(UTC)))
        assert connection.execute(due).scalars().all() == ["near"]
        assert connection.execute(select(WEBHOOKS.c.rest_until)).scalars().all() == [None]


# Whose they are, and what is refused


def test_subscriptions_are_those_of_the_key_and_of_its_partner(
    registry: TestClient, seeded_database: Database, subscriber: Headers, receiver: Receiver
) -> None:
    unido = [key_of(seeded_database, "webhooks", partner="unido") for _ in range(2)]
    seco, admin = key_of(seeded_database, "webhooks", partner="seco"), key_of(seeded_database, "keys")
    made, other = subscribe(registry, unido[0], receiver.url), subscribe(registry, subscriber, receiver.url)
    assert (made["key"], made["partner"], other["partner"]) == (id_of(unido[0]), "unido", None)
    for key, ids in (
        (unido[1], {made["id"]}),
        (subscriber, {other["id"]}),
        (seco, set()),
        (admin, {made["id"], other["id"]}),
    ):
        listed = registry.get("/v1/webhooks?limit=200", headers=key).json()["items"]
        assert {each["id"] for each in listed} == ids
        for each in (made, other):
            status = 200 if each["id"] in ids else 404
            assert registry.get(f"/v1/webhooks/{each['id']}/deliveries", headers=key).status_code == status
            patch(registry, key, each, status, actions=["create"])
    assert registry.delete(f"/v1/webhooks/{made['id']}", headers=seco).status_code == 404
    assert registry.delete(f"/v1/webhooks/{made['id']}", headers=unido[1]).status_code == 204
    assert registry.get(f"/v1/webhooks/{made['id']}", headers=unido[0]).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": 1}, "/url"),
        ({"url": "http://127.0.0.1/", "resources": ["nothing"]}, "/resources/0"),
        ({"url": "http://127.0.0.1/", "actions": ["burn"]}, "/actions/0"),
        ({"url": "http://127.0.0.1/", "partners": ["nobody"]}, "/partners/0"),
        ({"url": "http://127.0.0.1/", "partners": ["unido"] * 51}, "/partners"),
        ({"url": "http://127.0.0.1/", "state": "asleep"}, "/state"),
        ({"url": "http://127.0.0.1/", "secret": "whsec_x"}, "/secret"),
        ({"url": "http://127.0.0.1/", "<secret>": "whsec_x"}, ""),
        ({"url": "http://127.0.0.1/\x00"}, "/url"),
        ({"url": "http://127.0.0.1/" + "x" * 2000}, "/url"),
        ([], ""),
    ],
)
def test_mistakes_are_told_by_their_place(registry: TestClient, subscriber: Headers, body: Any, pointer: str) -> None:
    answer = registry.post("/v1/webhooks", json=body, headers=subscriber)
    assert [each.get("pointer") for each in problem(answer, 422, "invalid")["errors"]] == [pointer]


def test_odd_ids_bodies_and_queries_are_refused(registry: TestClient, subscriber: Headers, receiver: Receiver) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    for odd in ("%00", "x" * 5000, "%F0%9F%92%A5", "0000000000", "a%2Fb", "9223372036854775808", "-"):
        problem(registry.get(f"/v1/webhooks/{odd}", headers=subscriber), 404, "not_found")
        problem(registry.post(f"{path}/deliveries/{odd}/repeat", headers=subscriber), 404, "not_found")
    for query in ("limit=0", "limit=9223372036854775808", "cursor=%00", "state=lost", "unknown=1", "cursor=x"):
        assert registry.get(f"{path}/deliveries?{query}", headers=subscriber).status_code in (400, 422), query
    changes: tuple[Any, ...] = (
        {"url": None},
        {"partners": {}},
        {"state": None, "url": "ftp://x/"},
        {"id": "other"},
        [],
    )
    for patched in changes:
        headers = {**subscriber, "Content-Type": "application/merge-patch+json"}
        problem(registry.patch(path, content=json.dumps(patched), headers=headers), 422, "invalid")
    bodies: tuple[Any, ...] = ({"overlap": -1}, {"overlap": 2**63 - 1}, {"overlap": 1.5}, {"overlap": None}, [])
    for body in bodies:
        problem(registry.post(f"{path}/rotate", json=body, headers=subscriber), 422, "invalid")
    assert shown(registry, subscriber, made)["updated_at"] == made["updated_at"]


def test_a_key_has_a_bounded_number_of_subscriptions(
    registry: TestClient, subscriber: Headers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_OF_ONE_KEY", 2)
    for _ in range(2):
        subscribe(registry, subscriber, receiver.url)
    problem(registry.post("/v1/webhooks", json={"url": receiver.url}, headers=subscriber), 409, "conflict")


def test_all_keys_together_have_a_bounded_number_of_subscriptions(
    registry: TestClient, subscriber: Headers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_IN_ALL", 1)
    subscribe(registry, subscriber, receiver.url)
    problem(registry.post("/v1/webhooks", json={"url": receiver.url}, headers=subscriber), 409, "conflict")


def test_tests_are_bounded(
    registry: TestClient, seeded_database: Database, subscriber: Headers, receiver: Receiver
) -> None:
    """Those that have not ended, those of a minute, and those that can still be read."""
    receiver.behaviour = hang
    made = subscribe(registry, subscriber, receiver.url)
    found = [registry.post(f"/v1/webhooks/{made['id']}/test", headers=subscriber) for _ in range(100)]
    assert [each.status_code for each in found[:4]] == [202, 202, 202, 429]
    problem(found[3], 429, "too_many_requests")
    assert found[3].headers["retry-after"] == "10"
    rate, of_key, _ = limits.RATES["tests"]
    assert {each.status_code for each in found[3:]} == {429}
    assert found[-1].headers["ratelimit-policy"] == f'"tests-of-subscription";q={rate};w=60'
    assert count_tests(seeded_database) == 3
    for _ in range(of_key // rate - 1):
        other = subscribe(registry, subscriber, receiver.url)
        for _ in range(rate):
            last = registry.post(f"/v1/webhooks/{other['id']}/test", headers=subscriber)
    other = subscribe(registry, subscriber, receiver.url)
    last = registry.post(f"/v1/webhooks/{other['id']}/test", headers=subscriber)
    problem(last, 429, "too_many_requests")
    assert last.headers["ratelimit-policy"] == f'"tests-of-key";q={of_key};w=60'


def count_tests(database: Database) -> int:
    with database.engine.connect() as connection:
        tests = select(func.count()).select_from(DELIVERIES).where(DELIVERIES.c.sequence.is_(None))
        return int(connection.execute(tests).scalar_one())


def test_the_last_tests_are_kept(
    registry: TestClient,
    seeded_database: Database,
    subscriber: Headers,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_TESTS", 2)
    made = subscribe(registry, subscriber, receiver.url)
    for number in range(4):
        assert registry.post(f"/v1/webhooks/{made['id']}/test", headers=subscriber).status_code == 202
        receiver.wait(number + 1)
        eventually(lambda: deliveries(registry, subscriber, made, "?state=pending") == [])
    assert count_tests(seeded_database) == 2
    latest = [message.id for message in receiver.messages[-2:]]
    assert [each["id"] for each in deliveries(registry, subscriber, made)] == latest[::-1]


def test_repetitions_are_bounded(
    registry: TestClient, subscriber: Headers, editor: Headers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_OPEN_REPETITIONS", 1)
    made = subscribe(registry, subscriber, receiver.url)
    for number in range(2):
        put_project(registry, editor, f"port-{number}")
    ids = [message.id for message in receiver.wait(2)]
    eventually(lambda: deliveries(registry, subscriber, made, "?state=pending") == [])
    receiver.behaviour = hang
    paths = [f"/v1/webhooks/{made['id']}/deliveries/{each}/repeat" for each in ids]
    found = [registry.post(path, headers=subscriber) for path in paths]
    assert [each.status_code for each in found] == [202, 429]
    found = [registry.post(paths[1], headers=subscriber) for _ in range(limits.RATES["repetitions"][0])]
    assert found[-1].headers["ratelimit-policy"] == '"repetitions-of-subscription";q=60;w=60'


def test_rotations_are_bounded(registry: TestClient, subscriber: Headers, receiver: Receiver) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    rate = limits.RATES["rotations"][0]
    found = [registry.post(f"/v1/webhooks/{made['id']}/rotate", json={}, headers=subscriber) for _ in range(rate + 1)]
    assert [each.status_code for each in found] == [200] * rate + [429]


def test_a_key_has_two_lookups_at_a_time() -> None:
    done = threading.Event()
    manual = limits.ManualLimits(UsageTable())
    try:
        running = [manual.lookups_of("a").submit(done.wait) for _ in range(2)]
        with pytest.raises(TooMany) as refused:
            manual.lookups_of("a")
        assert refused.value.headers == {"Retry-After": "5"}
        manual.lookups_of("b")
        done.set()
        assert [each.result(30) for each in running] == [True, True]
        eventually(lambda: not manual._lookups.unfinished())
        manual.lookups_of("a")
    finally:
        done.set()
        manual.close()


def test_a_key_keeps_a_bounded_number_of_deliveries(
    registry: TestClient, seeded_database: Database, subscriber: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many subscriptions it has: they share the number. Those that wait are never deleted."""
    monkeypatch.setattr(pruning, "MAX_DELIVERIES", 3)
    monkeypatch.setattr(pruning, "MAX_DELIVERIES_OF_KEY", 4)
    monkeypatch.setattr(pruning, "PRUNED_AT_ONCE", 2)
    first, second, single = (subscribe(registry, subscriber, "https://93.184.215.14/")["id"] for _ in range(3))
    at = instant(datetime.now(UTC))
    with seeded_database.write() as session:
        session.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == single).values(key="other"))
        rows = [
            queue.new_delivery(f"{webhook}-{number}", webhook, "{}", at)
            for webhook in (first, second, single)
            for number in range(7)
        ]
        for row in rows[1:]:
            row.update(done_at=at, state="accepted")
        session.execute(insert(DELIVERIES), rows)
    while pruning.prune_deliveries(seeded_database):
        pass
    with seeded_database.engine.connect() as connection:
        left = set(connection.execute(select(DELIVERIES.c.id)).scalars())
    assert left == {
        *(f"{first}-{number}" for number in (0, 5, 6)),
        *(f"{second}-{number}" for number in (5, 6)),
        *(f"{single}-{number}" for number in (4, 5, 6)),
    }


# Several senders


def test_several_senders_share_the_work_without_doubling_it(
    registry: TestClient, seeded_database: Database, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    made = subscribe(registry, subscriber, receiver.url)
    with (
        client_of(url_of(seeded_database), **ALLOWED) as second,
        client_of(url_of(seeded_database), **ALLOWED) as third,
    ):
        for number in range(30):
            put_project((registry, second, third)[number % 3], editor, f"port-{number}")
        eventually(lambda: len(deliveries(registry, subscriber, made, "?state=accepted&limit=200")) == 30)
    assert len(receiver.messages) == 30


def test_a_sender_that_stops_gives_back_what_it_has_not_sent_to_its_end(
    seeded_database: Database, subscriber: Headers, editor: Headers
) -> None:
    with receiving(hang) as receiver:
        with client_of(url_of(seeded_database), **ALLOWED) as client:
            made = subscribe(client, subscriber, receiver.url)
            put_project(client, editor)
            receiver.wait(1)
        receiver.behaviour = accept
        with client_of(url_of(seeded_database), **ALLOWED) as client:
            assert receiver.wait(2)[1].verified(made["secret"])["data"]["id"] == "green-ports"


def test_a_server_that_is_told_not_to_sends_nothing(
    seeded_database: Database, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    with client_of(url_of(seeded_database), **ALLOWED, webhook_sender=False) as client:
        subscribe(client, subscriber, receiver.url)
        put_project(client, editor)
        time.sleep(0.5)
        assert receiver.messages == []


# Beside the rest


def test_sending_makes_no_change_and_keeps_answers_ready(
    registry: TestClient, seeded_database: Database, subscriber: Headers, editor: Headers, receiver: Receiver
) -> None:
    def last() -> Any:
        with seeded_database.engine.connect() as connection:
            return connection.execute(select(func.max(CHANGES.c.sequence))).scalar()

    subscribe(registry, subscriber, receiver.url)
    put_project(registry, editor)
    sequence, commits = last(), seeded_database.commits()
    tag = registry.get("/v1/projects").headers["etag"]
    receiver.wait(1)
    eventually(lambda: last() == sequence and seeded_database.commits() == commits)
    assert registry.get("/v1/projects", headers={"If-None-Match": tag}).status_code == 304


def test_a_transaction_reads_the_log_for_a_limited_time(
    registry: TestClient, seeded_database: Database, subscriber: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for it. The next transaction goes on, so no delivery is lost."""
    subscribe(registry, subscriber, f"http://127.0.0.1:{dead_port()}/", state="disabled", partners=["unido"])
    made = {}
    for seconds in (60.0, -1.0):
        monkeypatch.setattr(fan_out, "MAX_SECONDS", seconds)
        with seeded_database.engine.begin() as connection:
            connection.execute(update(WEBHOOKS).values(state="active", behind=1))
            passes = 1
            while fan_out.fan_out(connection, ""):
                passes += 1
            made[seconds] = set(connection.execute(select(DELIVERIES.c.id)).scalars())
            connection.rollback()
    assert passes > 20
    assert made[60.0] == made[-1.0] != set()


def test_many_subscriptions_read_the_log_no_oftener_than_one(
    registry: TestClient,
    seeded_database: Database,
    subscriber: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fan_out, "MAX_SECONDS", 60.0)
    read: list[str] = []
    event.listen(seeded_database.engine, "before_cursor_execute", lambda *told: read.append(told[2]))
    counts = []
    for more in (1, 30):
        for _ in range(more):
            subscribe(registry, subscriber, f"http://127.0.0.1:{dead_port()}/", state="disabled", partners=["unido"])
        with seeded_database.engine.begin() as connection:
            connection.execute(update(WEBHOOKS).values(state="active", behind=1))
            read.clear()
            fan_out.fan_out(connection, "")
            counts.append(sum("FROM changes" in statement for statement in read))
            made = connection.execute(select(DELIVERIES.c.webhook, func.count()).group_by(DELIVERIES.c.webhook)).all()
            connection.rollback()
    assert len(made) == 31
    assert len({count for _, count in made}) == 1
    assert counts[0] == counts[1] > 1


def test_the_partners_of_a_change_are_read_from_two_versions(
    registry: TestClient, editor: Key, seeded_database: Database
) -> None:
    """A record can have thousands of large versions, and psycopg fetches all rows of a statement."""
    registry.put("/v1/partners/often", json=PARTNER, headers=editor)
    for number in range(5):
        registry.patch(
            "/v1/partners/often", json={"abbreviation": f"N{number}"}, headers={**editor, **PATCH, "If-Match": "*"}
        )
    counts: list[int] = []
    with seeded_database.write() as session:
        connection = session.connection()
        event.listen(connection, "after_cursor_execute", lambda *args: counts.append(args[1].rowcount))
        last = connection.execute(select(func.max(CHANGES.c.sequence))).scalar_one()
        assert partners_concerned(connection, last) == frozenset({"often", "unido"})
    assert max(counts) <= 1


class Room:
    """Room for so many attempts of each subscription."""

    def __init__(self, number: int) -> None:
        self.number = number

    def of(self, _: Any) -> int:
        return self.number

    def take(self, _: Any, number: int) -> None:
        """Any number."""


def test_a_delivery_that_was_claimed_meanwhile_is_not_claimed_again(seeded_database: Database) -> None:
    """What is due is searched without the lock, by two processes at once, and claimed with it."""
    key = key_of(seeded_database, "webhooks")
    with client_of(url_of(seeded_database), **ALLOWED, webhook_sender=False) as client:
        made = client.post("/v1/webhooks", json={"url": "http://127.0.0.1/"}, headers=key).json()["id"]
        for _ in range(3):
            assert client.post(f"/v1/webhooks/{made}/test", headers=key).status_code == 202
    with seeded_database.snapshot() as connection:
        found = [queue.find_due(connection, Room(2), 10) for _ in range(2)]
    assert [len(due.ids) for due in found[0]] == [2]
    with seeded_database.engine.begin() as connection:
        assert len(queue.claim(connection, found[0])) == 2
    with seeded_database.engine.begin() as connection:
        assert queue.claim(connection, found[1]) == []
    with seeded_database.snapshot() as connection:
        assert [len(due.ids) for due in queue.find_due(connection, Room(2), 10)] == [1]
        assert queue.find_due(connection, Room(0), 10) == []
