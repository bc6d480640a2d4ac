"""Outgoing calls cannot be turned inward: which URLs and addresses are refused, at subscription and when sending."""

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from app.core.database.engine import Database
from app.webhooks import client as webhook_client
from app.webhooks.client import WebhookClient
from app.webhooks.egress import EgressPolicy, EgressRefused, is_public
from app.webhooks.lookups import Lookups
from app.webhooks.queue import CallOutcome
from app.webhooks.signing import new_secret
from tests.support.databases import url_of
from tests.support.http import client_of, problem
from tests.support.keys import key_of
from tests.support.receivers import ALLOWED, receiving
from tests.support.subscriptions import deliveries, put_project, subscribe
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_webhooks")

INNER = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.8 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
224.0.0.1 233.252.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:7f00:1 64:ff9b::7f00:1 64:ff9b::808:808
64:ff9b:1::1 100::1 2001::1
2001:0:7f00:1::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 5f00::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
"""
OUTER = """
1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 172.32.0.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1
"""

REFUSED = [
    "",
    "https://",
    "https:///x",
    "//partner.example/",
    "partner.example",
    "ftp://partner.example/",
    "file:///etc/passwd",
    "http://partner.example/",
    "HTTP://127.0.0.1/",
    "https://user@partner.example/",
    "https://user:word@partner.example/",
    "https://partner.example@127.0.0.1/",
    "https://partner.example\\@127.0.0.1/",
    "https://partner.example#@127.0.0.1/",
    "https://partner.example/#fragment",
    "https://partner.example/a b",
    "https://partner.example/\r\nHost: inside",
    " https://partner.example/",
    "https://partner.example/\n",
    "https://part\tner.example/",
    "https://đối-tác.example/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://partner.example:0/",
    "https://partner.example:22/",
    "https://partner.example:25/",
    "https://partner.example:65536/",
    "https://partner.example:99999999/",
    "https://partner.example:-1/",
    "https://partner.example:٤٤٣/",
    "https://partner.example:443:443/",
    "https://127.1/",
    "https://127.0.0.01/",
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://017700000001/",
    "https://127.0.0.0x1/",
    "https://127.0.0.1./",
    "https://256.0.0.1/",
    "https://1.2.3.4.5/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[127.0.0.1]/",
    "https://-partner.example/",
    "https://part_ner.example/",
    "https://partner..example/",
    "https://partner.example./",
    "https://%31%32%37.0.0.1/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
]


@pytest.fixture
def lookups() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


@pytest.mark.parametrize("text", INNER.split())
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not EgressPolicy().permits(ip_address(text))


@pytest.mark.parametrize("text", OUTER.split())
def test_addresses_that_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_are_refused_as_they_stand(url: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        EgressPolicy().endpoint(url)
    assert "partner" not in str(refused.value), "what was sent is not repeated"


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://partner.example", "partner.example", 443, "/"),
        ("HTTPS://Partner.Example:8443/a/b?c=d&e=%20", "partner.example", 8443, "/a/b?c=d&e=%20"),
        ("https://xn--i-tc-vna.example/hook", "xn--i-tc-vna.example", 443, "/hook"),
        ("https://93.184.216.34?x", "93.184.216.34", 443, "/?x"),
        ("https://[2606:4700::1111]:1024/", "2606:4700::1111", 1024, "/"),
    ],
)
def test_urls_that_may_be_called(url: str, host: str, port: int, target: str) -> None:
    place = EgressPolicy().endpoint(url)
    assert (place.scheme, place.host, place.port, place.target) == ("https", host, port, target)


def test_the_setting_allows_networks_and_plain_hosts_and_nothing_beside() -> None:
    allowance = EgressPolicy.parse("10.0.0.0/8, fd00::/8 http://receiver:8080 http://Inside.example/")
    assert allowance.permits(ip_address("10.1.2.3"))
    assert allowance.permits(ip_address("fd00::1"))
    assert not allowance.permits(ip_address("192.168.0.1"))
    assert not allowance.permits(ip_address("::ffff:10.1.2.3"))
    assert allowance.endpoint("http://receiver:8080/x").scheme == "http"
    assert allowance.endpoint("http://inside.example:9000/").port == 9000
    for url in ("http://receiver/", "http://receiver:8081/", "http://other.example/", "http://receiver:8080@evil/"):
        with pytest.raises(EgressRefused):
            allowance.endpoint(url)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "receiver:8080", "10.0.0.0/33", "*", "https://receiver", "\x00"])
def test_a_setting_that_cannot_be_read_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="HOPTAC_WEBHOOK_ALLOW takes networks"):
        EgressPolicy.parse(text)


Resolve = Callable[..., list[Any]]


def resolving(*answers: list[str]) -> tuple[Resolve, list[str]]:
    """A resolver that gives one answer after the other, and the names that it was asked."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return resolve, asked


def call(allowance: EgressPolicy, url: str, lookups: ThreadPoolExecutor) -> CallOutcome:
    return asyncio.run(WebhookClient(allowance).post(url, "message", b"{}", [new_secret()], lookups))


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_a_name_that_leads_inward_is_not_called(
    address: str, lookups: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, asked = resolving([address])
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    outcome = call(EgressPolicy(), "https://partner.example/", lookups)
    assert (outcome.status, outcome.error) == (None, "The URL has no permitted address: it must be public.")
    assert asked == ["partner.example"]


def test_the_address_that_was_checked_is_the_one_connected_to(
    lookups: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers otherwise the second time finds that there is no second time."""
    with receiving() as receiver:
        resolve, asked = resolving(["10.9.9.9", "127.0.0.1"], ["10.9.9.9"])
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        allowance = EgressPolicy.parse("127.0.0.0/8 http://partner.example")
        outcome = call(allowance, f"http://partner.example:{receiver.port}/hook", lookups)
        assert (outcome.status, asked) == (204, ["partner.example"])
        assert receiver.messages[0].headers["host"] == f"partner.example:{receiver.port}"


def test_no_proxy_of_the_environment_is_asked(lookups: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert call(EgressPolicy.parse(ALLOWED["webhook_allow"]), receiver.url, lookups).accepted
        assert proxy.messages == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
@pytest.mark.parametrize(("name", "status"), [("partner.example", 204), ("other.example", None)])
def test_the_certificate_must_be_that_of_the_name(
    lookups: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, status: int | None
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
    make += [
        "-subj",
        "/CN=test",
        "-addext",
        f"subjectAltName=DNS:{name}",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(make, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolve, _ = resolving(["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with receiving(certificate=(certificate, key)) as receiver:
        outcome = call(EgressPolicy.parse("127.0.0.0/8"), f"https://partner.example:{receiver.port}/", lookups)
        assert outcome.status == status
        assert len(receiver.messages) == (1 if status else 0)


def test_over_https_nothing_is_sent_without_tls(lookups: ThreadPoolExecutor) -> None:
    with receiving() as receiver:  # what answers there speaks no TLS at all
        outcome = call(EgressPolicy.parse("127.0.0.0/8"), f"https://127.0.0.1:{receiver.port}/", lookups)
        assert (outcome.status, outcome.error) == (
            None,
            "The connection or the TLS handshake failed. The certificate must be valid.",
        )
        assert receiver.messages == []


def test_a_lookup_without_end_is_given_up_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    lookups = Lookups(2)

    def resolve(*_: Any, **__: Any) -> list[Any]:
        done.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(webhook_client, "DEADLINE", 0.2)
    try:
        outcome = asyncio.run(_within(call_later(lookups.of_key("a"))))
        assert lookups.unfinished() == {"a": 1}
    finally:
        done.set()
    eventually(lambda: not lookups.unfinished())
    lookups.close()
    assert outcome.error == "No response within 0.2 seconds."


async def _within(work: Any) -> Any:
    async with asyncio.timeout(5):
        return await work


def call_later(lookups: Executor) -> Any:
    return WebhookClient(EgressPolicy()).post("https://partner.example/", "message", b"{}", [new_secret()], lookups)


@pytest.fixture
def subscriber(seeded_database: Database) -> dict[str, str]:
    return key_of(seeded_database, "webhooks")


def test_without_the_setting_inner_addresses_are_refused_at_subscription(
    seeded_database: Database, subscriber: dict[str, str]
) -> None:
    with client_of(url_of(seeded_database)) as client, receiving() as receiver:
        inner = ["https://localhost/", "https://127.0.0.1/", "https://[::1]:8443/", "https://[::ffff:7f00:1]/"]
        for url in (receiver.url, *inner, "https://169.254.169.254/latest/", "https://0/", *REFUSED[1:20]):
            answer = client.post("/v1/webhooks", json={"url": url}, headers=subscriber)
            errors = problem(answer, 422, "invalid")["errors"]
            assert [each["pointer"] for each in errors] == ["/url"], url
            assert "127.0.0.1" not in answer.text
        assert client.get("/v1/webhooks", headers=subscriber).json()["items"] == []


def test_without_the_setting_inner_addresses_are_refused_when_sending(
    seeded_database: Database, subscriber: dict[str, str]
) -> None:
    writer = key_of(seeded_database, "records:write")
    url = url_of(seeded_database)
    with receiving() as receiver:
        with client_of(url, **ALLOWED) as client:
            made = subscribe(client, subscriber, receiver.url)
        with client_of(url) as client:
            put_project(client, writer)
            eventually(lambda: any(each["error"] for each in deliveries(client, subscriber, made)))
            told = deliveries(client, subscriber, made)[0]
            assert (told["state"], told["status"], told["error"]) == ("pending", None, "The URL is not https.")
        with client_of(url, webhook_allow="http://127.0.0.1") as client:
            eventually(lambda: "must be public" in deliveries(client, subscriber, made)[0]["error"])
        assert receiver.messages == []
        with client_of(url, **ALLOWED) as client:
            eventually(lambda: deliveries(client, subscriber, made)[0]["state"] == "accepted")
        assert len(receiver.messages) == 1


def test_a_subscription_is_not_led_inward_later(seeded_database: Database, subscriber: dict[str, str]) -> None:
    with receiving() as receiver, client_of(url_of(seeded_database), **ALLOWED) as client:
        made = subscribe(client, subscriber, receiver.url)
        headers = {**subscriber, "Content-Type": "application/merge-patch+json"}
        path = f"/v1/webhooks/{made['id']}"
        answer = client.patch(path, content='{"url": "https://10.0.0.1/"}', headers=headers)
        assert problem(answer, 422, "invalid")["errors"][0]["code"] == "not_callable"
        assert client.get(path, headers=subscriber).json()["url"] == receiver.url
