"""Senders of webhooks killed at random while receivers misbehave: every event must arrive, signed, in order."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import func, select

import app.catalogue  # noqa: F401 - declares every table
from app.core.access.caller import Caller
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from app.keys import administration
from app.keys.models import KeyFields
from app.webhooks.models import DELIVERIES, WEBHOOKS, WebhookFields
from app.webhooks.subscriptions import create
from tests.support.receivers import (
    ALLOWED,
    Behaviour,
    Handler,
    Receiver,
    accept,
    drip,
    fail,
    hang,
    large,
    receiving,
    redirect_to,
)
from tests.torture.setting import ROOT, Row
from tests.torture.whole import broken

MOST_MORE = 50_000  # KiB that a sender may grow by
# A worker with the paces of a test: what takes hours and minutes takes seconds.
WORKER = """
from app.webhooks import client, queue
queue.FIRST_DELAY = 0.1
queue.MAX_DELAY = 0.5
queue.MAX_BACK_OFF = 0.5
queue.LEASE = 3.0
client.DEADLINE = 0.5
from app.cli import main
raise SystemExit(main(["worker"]))
"""


def now_and_then(bad: Behaviour, share: float, seed: int) -> Behaviour:
    """Misbehaves in a share of all calls, and accepts the others."""
    chance = random.Random(seed)

    def behave(handler: Handler, number: int) -> None:
        (bad if chance.random() < share else accept)(handler, number)

    return behave


def receivers(stack: ExitStack) -> dict[str, Receiver]:
    """A receiver of each kind; each accepts an event in the end."""
    other = stack.enter_context(receiving())
    kinds = {"fails": fail, "hangs": hang, "drips": drip, "redirects": redirect_to(other.url)}
    behaviours = {name: now_and_then(bad, 0.3, number) for number, (name, bad) in enumerate(kinds.items())}
    behaviours |= {"accepts": accept, "sends 10 MB": now_and_then(large, 0.3, 9)}
    return {name: stack.enter_context(receiving(behaviour)) for name, behaviour in behaviours.items()}


class Workers:
    """`hoptac worker`, some times."""

    def __init__(self, url: str, count: int) -> None:
        self.environment = {**os.environ, "HOPTAC_DATABASE_URL": url, "HOPTAC_WEBHOOK_ALLOW": ALLOWED["webhook_allow"]}
        self.running = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline(), "the worker does not start"
        return process

    def kill_one(self) -> None:
        """As a power cut would, and start another."""
        victim = self.running.pop(random.randrange(len(self.running)))
        self._end(victim, signal.SIGKILL)
        self.running.append(self._start())

    def memory(self) -> int:
        """KiB that the largest of them holds now."""
        return max(_resident(process.pid) for process in self.running)

    def stop(self) -> list[int]:
        """Their exit codes after they were asked to end."""
        return [self._end(process, signal.SIGTERM) for process in self.running]

    def _end(self, process: subprocess.Popen[bytes], how: signal.Signals) -> int:
        process.send_signal(how)
        assert process.stdout is not None
        process.stdout.close()
        return process.wait(30)


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def write(database: Database, number: int, records: int) -> None:
    """One more version of one of so many projects."""
    resource, record_id = RESOURCES["projects"], f"tortured-{number % records}"
    said = {"title": {"en": f"Version {number}"}, "kind": "project", "status": "active"}
    with database.write() as session:
        batch = Batch(session, "torture")
        present = batch.stored(resource, [record_id]).get(record_id)
        batch.put(resource, record_id, resource.fields.model_validate(said), present)
        batch.flush()


def senders_killed(url: str, events: int, kills: int, workers: int = 2, records: int = 10) -> Row:
    """Senders killed at random, receivers of every kind: each event arrives, signed, in the order of its record."""
    with ExitStack() as stack:
        database = stack.enter_context(Database(url))
        told = receivers(stack)
        with database.write() as session:
            key = administration.create(session, KeyFields(name="torture", scopes=["webhooks"]))
            caller = Caller(key.id, frozenset(["webhooks"]))
            made = {name: create(session, caller, WebhookFields(url=each.url)) for name, each in told.items()}
        running = Workers(url, workers)
        memory = running.memory()
        killed_at = set(random.sample(range(1, events), kills))
        for number in range(events):
            write(database, number, records)
            if number in killed_at:
                running.kill_one()
            time.sleep(0.01)
        until = time.monotonic() + 60 + events / 5
        while (left := _left(database, events)) and time.monotonic() < until:
            time.sleep(0.1)
        grown = running.memory() - memory
        codes = running.stop()
        found = [_judged(told[name], made[name].secret, events) for name in told]
        summed = {name: sum(each[name] for each in found) for name in found[0]}
    figures: dict[str, object] = {
        "events": events,
        "kills": kills,
        **summed,
        "not accepted": left,
        "MB more": grown // 1024,
    }
    row = Row("senders of webhooks are killed", figures)
    for name in ("missing", "unsigned", "out of order"):
        row.need(not summed[name], f"{summed[name]} {name}")
    row.need(not left, f"{left} deliveries were not accepted")
    row.need(codes == [0] * workers, f"the senders ended with {codes}")
    row.need(grown < MOST_MORE, f"{grown} KiB more, whatever receivers send")
    row.problems += broken(url)
    return row


def _left(database: Database, events: int) -> int:
    """Deliveries that are not accepted yet, made or not."""
    with database.engine.connect() as connection:
        hooks = connection.execute(select(func.count()).select_from(WEBHOOKS)).scalar_one()
        done = select(func.count()).select_from(DELIVERIES).where(DELIVERIES.c.state == "accepted")
        return int(hooks * events - connection.execute(done).scalar_one())


def _judged(receiver: Receiver, secret: str, events: int) -> dict[str, int]:
    """What a receiver must say of what it got."""
    versions: dict[str, list[int]] = {}
    sequences, unsigned = [], 0
    for message in receiver.messages:
        try:
            data = message.verified(secret)["data"]
        except Exception:
            unsigned += 1
            continue
        sequences.append(data["sequence"])
        seen = versions.setdefault(data["id"], [])
        if data["version"] not in seen:
            seen.append(data["version"])
    return {
        "messages": len(receiver.messages),
        "missing": events - len(set(sequences)),
        "unsigned": unsigned,
        "out of order": sum(1 for seen in versions.values() if seen != sorted(seen)),
    }
