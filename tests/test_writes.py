"""Writes over HTTP: create, replace, patch, delete; conditions, rules, bodies, drafts, merging."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.core.change_log import CHANGES
from app.core.database.engine import Database
from app.core.model.resource import RESOURCES
from app.core.values.links import links_in
from app.core.values.text import slug
from app.core.writing import edit
from app.core.writing.representation import accepted_fields
from app.partners import merging
from seed.files import Dataset
from tests.support.databases import url_of
from tests.support.http import PATCH, client_of, get, problem
from tests.support.keys import Key, key_of
from tests.support.log import count_changes, verified
from tests.support.records import AGREEMENT, FIGURE, PARTNER, PROJECT


@pytest.fixture
def moit(seeded_database: Database) -> Key:
    """A key that writes what the Ministry of Industry and Trade keeps."""
    return key_of(seeded_database, "records:write:own", partner="moit")


def pointers(response: Any) -> dict[str, str]:
    return {each["pointer"]: each["code"] for each in problem(response, 422, "invalid")["errors"]}


def test_links_in_a_record_are_those_of_its_columns(dataset: Dataset) -> None:
    found = [link for fields in dataset.records.values() for link in links_in(fields)]
    assert {target for _, target, _ in found} <= set(RESOURCES)
    agreement = dataset.records["agreements", "eco-industrial-parks-mou-2024-2028"]
    assert ("/signatories/1/for", "partners", "seco") in set(links_in(agreement))
    assert ("/citations/0/document", "documents") in {link[:2] for link in links_in(agreement)}


def test_what_is_read_can_be_written_back(
    registry: TestClient, editor: Key, seeded_database: Database, dataset: Dataset
) -> None:
    before = count_changes(seeded_database)
    for resource, record_id in list(dataset.records)[::9]:
        path = f"/v1/{resource}/{record_id}"
        read = registry.get(path)
        for headers in ({}, {"If-Match": read.headers["etag"]}):
            again = registry.put(path, json=read.json(), headers={**editor, **headers})
            assert (again.status_code, again.content) == (200, read.content), again.text
            assert again.headers["etag"] == read.headers["etag"]
    assert count_changes(seeded_database) == before


def test_put_creates_and_replaces_under_conditions(registry: TestClient, editor: Key) -> None:
    path = "/v1/partners/new-partner"
    problem(registry.put(path, json=PARTNER, headers={**editor, "If-Match": "*"}), 412, "stale")
    made = registry.put(path, json=PARTNER, headers={**editor, "If-None-Match": "*"})
    assert (made.status_code, made.headers["location"]) == (201, path)
    assert made.content == registry.get(path).content
    assert made.headers["etag"] == registry.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"]
    assert (made.json()["version"], made.json()["managed_by"]) == (1, "unido")
    problem(registry.put(path, json=PARTNER, headers={**editor, "If-None-Match": "*"}), 412, "stale")
    other = {**PARTNER, "abbreviation": "N"}
    problem(registry.put(path, json=other, headers=editor), 428, "no_condition")
    tag = made.headers["etag"]
    for stale in ('"x"', 'W/"x"', '"1-2-3", W/"1-2-3"'):
        problem(registry.put(path, json=other, headers={**editor, "If-Match": stale}), 412, "stale")
    problem(registry.put(path, json=other, headers={**editor, "If-Match": "unquoted"}), 400, "bad_request")
    coded = f'"other", {tag[:-1]}-gzip"'
    done = registry.put(path, json=other, headers={**editor, "If-Match": coded})
    assert (done.status_code, done.json()["version"], done.json()["abbreviation"]) == (200, 2, "N")
    problem(registry.put(path, json=PARTNER, headers={**editor, "If-Match": tag}), 412, "stale")
    problem(registry.put(path, json=other, headers={**editor, "If-Match": tag}), 412, "stale")
    assert registry.put(path, json=PARTNER, headers={**editor, "If-Match": "*"}).json()["version"] == 3
    weak = f'"other", W/{registry.get(path).headers["etag"]}'  # as nginx makes it when it compresses the response
    assert registry.put(path, json=other, headers={**editor, "If-Match": weak}).json()["version"] == 4
    problem(registry.put(path, json=PARTNER, headers={**editor, "If-Match": weak}), 412, "stale")


def test_the_tag_of_any_answer_that_was_made_since_will_do(registry: TestClient, editor: Key) -> None:
    made = registry.put("/v1/partners/new-partner", json=PARTNER, headers=editor)
    headers = {**editor, **PATCH}
    answers = ("/new-partner?fields=name", "/new-partner?include=projects", "?limit=1", "?q=nobody")
    for number, asked in enumerate(answers, 1):
        tag = registry.get(f"/v1/partners{asked}").headers["etag"]
        body = json.dumps({"abbreviation": f"N{number}"})
        done = registry.patch(made.headers["location"], content=body, headers={**headers, "If-Match": tag})
        assert (done.status_code, done.json()["version"]) == (200, number + 1), done.text
        number_, chain, *rest = tag.strip('"').removesuffix("-gzip").split("-")
        forged = "-".join([number_, "0" * len(chain), *rest])
        later = "-".join([str(int(number_) + 99), chain, *rest])
        for stale in (tag, f'"{forged}"', f'"{later}"', f'W/"{later}"'):
            for content in (b"{}", b'{"aliases":["x"]}'):
                refused = registry.patch(
                    made.headers["location"], content=content, headers={**headers, "If-Match": stale}
                )
                problem(refused, 412, "stale")


def test_of_a_date_the_days_follow_from_what_is_said(registry: TestClient, editor: Key) -> None:
    body = {**PROJECT, "period": "2024/2025"}
    path = registry.post("/v1/projects", json=body, headers=editor).headers["location"]
    for said in ('{"edtf": "2026"}', '"2026"', '{"edtf": "2026", "earliest": "2026-01-01"}'):
        headers = {**editor, **PATCH, "If-Match": "*"}
        done = registry.patch(path, content=f'{{"period": {said}}}', headers=headers)
        assert done.json()["period"] == {"edtf": "2026", "earliest": "2026-01-01", "latest": "2026-12-31"}
        registry.put(path, json=body, headers={**editor, "If-Match": "*"})
    wrong = registry.patch(path, content='{"period": {"edtf": "2026", "latest": "2025-12-31"}}', headers=headers)
    problem(wrong, 422, "invalid")


def test_post_makes_an_id(registry: TestClient, editor: Key) -> None:
    railway = {**PROJECT, "title": {"vi": "Dự án Đường sắt & Cảng"}}
    bodies = [railway, railway, PROJECT]
    bodies += [{**PROJECT, "title": {"zh": "合作"}}, {**PROJECT, "title": {"en": "Search"}}, FIGURE]
    made = [
        registry.post(f"/v1/{'figures' if 'unit' in each else 'projects'}", json=each, headers=editor)
        for each in bodies
    ]
    assert [each.status_code for each in made] == [201] * 6, made[0].text
    ids = [each.json()["id"] for each in made]
    assert ids == [
        "du-an-duong-sat-cang",
        "du-an-duong-sat-cang-2",
        "a",
        "project",
        "search-2",
        "enterprises-supported",
    ]
    assert registry.get(made[1].headers["location"]).content == made[1].content
    given = registry.post("/v1/projects", json={**PROJECT, "id": "my-own"}, headers=editor)
    assert given.headers["location"] == "/v1/projects/my-own"
    problem(registry.post("/v1/projects", json={**PROJECT, "id": "my-own"}, headers=editor), 409, "id_taken")
    for wrong in ("No", "new", "", 5, "a" * 121, ["a"], "a\u0000"):
        assert "/id" in pointers(registry.post("/v1/projects", json={**PROJECT, "id": wrong}, headers=editor))


def test_slugs_are_folded_and_short() -> None:
    assert slug("Bộ Công Thương (MOIT) — Đà Nẵng") == "bo-cong-thuong-moit-da-nang"
    assert slug("  ") == ""
    assert len(slug("word " * 50)) <= 80
    assert slug("a" * 200) == "a" * 80


def test_patch_merges_and_checks_the_whole(registry: TestClient, editor: Key) -> None:
    path = "/v1/partners/patched"
    tag = registry.put(path, json={**PARTNER, "aliases": ["A", "B"], "abbreviation": "N"}, headers=editor).headers[
        "etag"
    ]

    def patch(body: object, **headers: str) -> Any:
        return registry.patch(path, content=json.dumps(body), headers={**editor, **PATCH, **headers})

    problem(patch({"abbreviation": "X"}), 428, "no_condition")
    body = {"abbreviation": None, "aliases": ["C"], "name": {"vi": "Không ai"}, "managed_by": "moit"}
    done = patch(body, **{"If-Match": tag, "Content-Type": "application/json; charset=utf-8"})
    found = done.json()
    assert (done.status_code, found["abbreviation"], found["aliases"]) == (200, None, ["C"])
    assert (found["name"], found["managed_by"]) == ({"en": "Nobody", "vi": "Không ai"}, "moit")
    same = patch({"aliases": ["C"], "version": 9, "id": "patched"}, **{"If-Match": done.headers["etag"]})
    assert (same.status_code, same.headers["etag"]) == (200, done.headers["etag"])
    tag = done.headers["etag"]
    assert pointers(patch({"kind": None, "nmae": {}}, **{"If-Match": tag})) == {
        "/kind": "invalid_value",
        "/nmae": "unknown_member",
    }
    assert pointers(patch({"id": "another"}, **{"If-Match": tag})) == {"/id": "read_only"}
    assert pointers(patch({"managed_by": None}, **{"If-Match": tag})) == {"/citations": "no_evidence"}
    assert pointers(patch([], **{"If-Match": tag})) == {"": "invalid_value"}
    problem(registry.patch("/v1/partners/nobody", content="{}", headers={**editor, **PATCH}), 404, "not_found")


def test_delete_leaves_a_tombstone(registry: TestClient, editor: Key) -> None:
    path = "/v1/partners/short-lived"
    tag = registry.put(path, json=PARTNER, headers=editor).headers["etag"]
    problem(registry.delete(path, headers=editor), 428, "no_condition")
    problem(registry.delete(path, headers={**editor, "If-Match": '"0"'}), 412, "stale")
    gone = registry.delete(path, headers={**editor, "If-Match": tag})
    assert (gone.status_code, gone.content) == (204, b"")
    problem(registry.get(path), 410, "gone")
    problem(registry.delete(path, headers={**editor, "If-Match": tag}), 410, "gone")
    problem(registry.patch(path, content="{}", headers={**editor, **PATCH}), 410, "gone")
    problem(registry.post("/v1/partners", json={**PARTNER, "id": "short-lived"}, headers=editor), 409, "id_taken")


def test_put_restores_a_deleted_record_and_its_history_goes_on(
    registry: TestClient, editor: Key, unido: Key, moit: Key, seeded_database: Database
) -> None:
    path = "/v1/projects/restored"
    first = registry.put(path, json=PROJECT, headers=unido).json()
    assert registry.delete(path, headers={**unido, "If-Match": "*"}).status_code == 204
    problem(registry.put(path, json={**PROJECT, "managed_by": "moit"}, headers=moit), 409, "id_taken")
    problem(registry.put(path, json=PROJECT, headers={**unido, "If-Match": "*"}), 412, "stale")
    again = registry.put(path, json=PROJECT, headers=unido)
    assert (again.status_code, again.json()["version"], again.json()["created_at"]) == (201, 3, first["created_at"])
    history = get(registry, f"{path}/history")["items"]
    assert [(each["version"], each["action"]) for each in history] == [(3, "create"), (2, "delete"), (1, "create")]
    assert get(registry, path) == again.json()
    assert registry.delete(path, headers={**unido, "If-Match": again.headers["etag"]}).status_code == 204
    assert registry.put(path, json=PROJECT, headers=editor).json()["version"] == 5
    assert verified(seeded_database)[0] == []


def test_a_failed_condition_tells_the_present_tag(registry: TestClient, editor: Key) -> None:
    path = "/v1/partners/tagged"
    tag = registry.put(path, json=PARTNER, headers=editor).headers["etag"]
    for headers in ({"If-Match": '"0"'}, {"If-None-Match": "*"}):
        stale = registry.put(path, json=PARTNER, headers={**editor, **headers})
        assert tag in problem(stale, 412, "stale")["detail"]
        assert stale.headers["etag"] == tag


def test_what_others_refer_to_is_not_deleted(registry: TestClient, editor: Key) -> None:
    refused = registry.delete("/v1/partners/unido", headers={**editor, "If-Match": "*"})
    errors = problem(refused, 409, "referred_to")["errors"]
    assert 1 < len(errors) <= 50
    assert {each["code"] for each in errors} == {"referrer"}
    assert registry.get("/v1/partners/unido").status_code == 200


@pytest.mark.parametrize(
    ("resource", "change", "wrong"),
    [
        ("projects", {"period": "2024/2020"}, {"/period": "invalid_value"}),
        ("projects", {"places": ["viet-nam", "atlantis"]}, {"/places/1": "unknown_record"}),
        ("projects", {"roles": [{"partner": "da-nang", "role": "lead"}]}, {"/roles/0/partner": "unknown_record"}),
        ("projects", {"part_of": ["probe"]}, {"/part_of/0": "cycle"}),
        ("projects", {"managed_by": None}, {"/citations": "no_evidence"}),
        ("projects", {"identifiers": [{"scheme": "x", "value": "1"}] * 2}, {"/identifiers/1": "taken"}),
        (
            "projects",
            {"kind": "x", "status": 5, "sdgs": ["99"], "zq7": 1, "title": {"zq7xx": "a", "vi": ""}},
            {"/kind": "invalid_value", "/status": "invalid_value", "/sdgs/0": "invalid_value", "/zq7": "unknown_member",
             "/title": "invalid_value", "/title/vi": "invalid_value"},
        ),
        (
            "agreements",
            {"parties": [{"partner": "nobody"}], "signed_in": "nowhere", "legal_basis": ["no-law"]},
            dict.fromkeys(["/parties/0/partner", "/signed_in", "/legal_basis/0"], "unknown_record"),
        ),
        ("agreements", {"citations": [{"document": "no-text"}]}, {"/citations/0/document": "unknown_record"}),
        (
            "projects",
            {"citations": [{"document": "samsung-smart-factory-2023"}, {"document": "nope", "basis": "external"}]},
            {"/citations/0": "incomplete_citation", "/citations/1": "incomplete_citation",
             "/citations/1/document": "unknown_record"},
        ),
        (
            "projects",
            {"kind": "x", "period": "no", "places": ["atlantis"], "managed_by": None, "part_of": ["probe"], "zq7": 1},
            {"/kind": "invalid_value", "/period": "invalid_value", "/zq7": "unknown_member",
             "/places/0": "unknown_record", "/citations": "no_evidence", "/part_of/0": "cycle"},
        ),
        ("figures", {"unit": "USD"}, {"/unit": "other_unit"}),
        ("figures", {"unit": 5, "indicator": "nothing"}, {"/unit": "invalid_value", "/indicator": "unknown_record"}),
        (
            "figures",
            {"unit": "person", "indicator": "experts-trained",
             "relations": [{"kind": "part_of", "figure": "smart-factory-enterprises-2022"}]},
            {"/relations/0/figure": "other_unit"},
        ),
        ("figures", {"relations": [{"kind": "part_of", "figure": "probe"}]}, {"/relations/0/figure": "cycle"}),
        ("figures", {"value": 1234567890123456}, {"/value": "invalid_value"}),
        ("figures", {"value": True}, {"/value": "invalid_value"}),
        ("figures", {"value": None}, {"": "invalid_value"}),
        ("places", {"name": {"en": "X"}, "level": "country", "code": "VN"}, {"/code": "taken"}),
        ("places", {"level": "country", "code": "VN"}, {"/name": "invalid_value", "/code": "taken"}),
        (
            "figures",
            {"unit": None, "relations": [{"kind": "part_of", "figure": "smart-factory-enterprises-2022"}]},
            {"/unit": "invalid_value"},
        ),
        ("partners", {"merged_into": "unido"}, {"/merged_into": "read_only"}),
        ("partners", {"name": {"vn": "Bộ Công Thương"}}, {"/name/vn": "invalid_value"}),
        ("partners", {"collective": "yes"}, {"/collective": "invalid_value"}),
        ("indicators", {"name": {"en": "X"}, "unit": "parsec"}, {"/unit": "invalid_value"}),
    ],
)  # fmt: skip
def test_every_mistake_is_told_with_its_place(
    registry: TestClient,
    editor: Key,
    seeded_database: Database,
    resource: str,
    change: dict[str, Any],
    wrong: dict[str, str],
) -> None:
    whole: dict[str, Any] = {"projects": PROJECT, "agreements": AGREEMENT, "figures": FIGURE, "partners": PARTNER}
    before = count_changes(seeded_database)
    response = registry.put(
        f"/v1/{resource}/probe", json={**whole.get(resource, {"managed_by": "unido"}), **change}, headers=editor
    )
    assert pointers(response) == wrong
    assert "zq7xx" not in response.text
    assert count_changes(seeded_database) == before


ANYTHING: tuple[Any, ...] = (
    None,
    2**63 - 1,
    "",
    ["unido"],
    [None],
    [{}],
    {"vi": "a"},
)


@pytest.mark.slow
@pytest.mark.parametrize("resource", RESOURCES)
def test_no_value_of_any_member_breaks_it(registry: TestClient, editor: Key, resource: str) -> None:
    one = RESOURCES[resource]
    headers = {**editor, **PATCH, "If-Match": "*"}
    for name, field in one.fields.model_fields.items():
        for value in ANYTHING:
            body = json.dumps({field.alias or name: value})
            found = registry.patch(f"/v1/{resource}/{one.example}", content=body, headers=headers)
            assert found.status_code in (200, 409, 422), (body, found.text)


def test_a_cycle_is_found_however_long_the_way(registry: TestClient, editor: Key) -> None:
    for name, whole in (("one", []), ("two", ["one"]), ("three", ["two"])):
        assert (
            registry.put(f"/v1/projects/{name}", json={**PROJECT, "part_of": whole}, headers=editor).status_code == 201
        )
    headers = {**editor, "If-Match": "*"}
    found = registry.put("/v1/projects/one", json={**PROJECT, "part_of": ["three"]}, headers=headers)
    assert pointers(found) == {"/part_of/0": "cycle"}


def test_a_total_keeps_the_unit_of_its_parts(registry: TestClient, editor: Key) -> None:
    path = "/v1/figures/smart-factory-enterprises-2022"
    body = {**registry.get(path).json(), "unit": "USD"}
    details = problem(registry.put(path, json=body, headers={**editor, "If-Match": "*"}), 422, "invalid")["errors"]
    assert {each["detail"] for each in details} == {
        "The indicator has another unit.",
        "Parts of this figure have another unit.",
    }
    indicator = {"name": {"en": "X"}, "unit": "USD"}
    found = registry.put("/v1/indicators/enterprises-supported", json=indicator, headers={**editor, "If-Match": "*"})
    assert pointers(found) == {"/unit": "other_unit"}


def test_a_register_gives_a_code_to_one_record(registry: TestClient, editor: Key) -> None:
    body = {**PROJECT, "identifiers": [{"scheme": "iati", "value": "VN-1"}]}
    assert registry.put("/v1/projects/first", json=body, headers=editor).status_code == 201
    second = problem(registry.put("/v1/projects/second", json=body, headers=editor), 422, "invalid")
    assert second["errors"] == [
        {"pointer": "/identifiers/0", "code": "taken", "detail": "projects/first has this code."}
    ]


BROKEN = [
    b"", b"{", b"nonsense", b"\xff{}", b"\xef\xbb\xbf{}", b"NaN", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}',
    b'{"a": 9223372036854775808}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 1, "a": 2}', b"[" * 100_000, b"{}{}",
    b'{"a":' * 101 + b"1" + b"}" * 101,
]  # fmt: skip
HOSTILE = [
    b"[]", b"null", b'"x"', b"0", b'{"name": "\\u0000"}', b'{"name": {"en": "\\ud800"}}', b'{"\\ud800": 1}',
    b'{"\\u0000zq7": 1}', b'{"name": {"en": "a\\u001b"}}', b'{"name": {"\\ud800": "a"}}', b'{"aliases": ["\\u0000"]}',
    b'{"name": 9223372036854775807}', b'{"citations": [{"document": "x", "paragraph": 9223372036854775807}]}',
    b'{"citations": ' + json.dumps([{"document": "x"}] * 5000).encode() + b"}", b'{"resource": ["x"], "id": {}}',
    b'{"name": {"en": "' + "ạ".encode() * 30_000 + b'"}}', b'{"url": "https://x\\ud800"}', b'{"kind": "zq7"}',
    b'{"managed_by": "\\ud800"}', b'{"period": {"edtf": "\\u0000"}}', b'{"period": {"edtf": 5}}',
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code", "bodies"), [(400, "bad_body", BROKEN), (422, "invalid", HOSTILE)], ids=["broken", "hostile"]
)
def test_hostile_bodies_are_refused_and_write_nothing(
    registry: TestClient, editor: Key, seeded_database: Database, status: int, code: str, bodies: list[bytes]
) -> None:
    before = count_changes(seeded_database)
    for body in bodies:
        for method, media_type, path in (
            ("PUT", "application/json", "/v1/partners/hostile"),
            ("POST", "application/json; charset=utf-8", "/v1/documents"),
            ("PATCH", "application/merge-patch+json", "/v1/partners/unido"),
        ):
            headers = {**editor, "Content-Type": media_type, "If-Match": "*" if method == "PATCH" else ""}
            found = registry.request(method, path, content=body, headers={k: v for k, v in headers.items() if v})
            assert len(problem(found, status, code)["errors"]) <= 50, body[:50]
            assert "zq7" not in found.text
    assert count_changes(seeded_database) == before


def test_bodies_have_a_bound_and_a_type(seeded_database: Database, editor: Key) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 1000

    with client_of(url_of(seeded_database), max_body=10_000) as client:
        path, kind = "/v1/partners/large", {"Content-Type": "application/json"}
        for content in (b" " * 10_001, drip()):
            problem(client.put(path, content=content, headers={**editor, **kind}), 413, "too_large")
        for headers in ({}, {"Content-Type": "text/plain"}, PATCH, {**kind, "Content-Encoding": "gzip"}):
            answer = client.put(path, content=b"{}", headers={**editor, **headers})
            problem(answer, 415, "unsupported_type")
            assert (answer.headers["accept"], answer.headers["accept-encoding"]) == ("application/json", "identity")
        answer = client.patch(path, content=b"{}", headers={**editor, "Content-Type": "text/plain"})
        problem(answer, 415, "unsupported_type")
        accepted = f"{PATCH['Content-Type']}, application/json"
        assert (answer.headers["accept-patch"], "accept" in answer.headers) == (accepted, False)
        problem(client.put(path, content=b" " * 20_000, headers=kind), 401, "unauthorized")
        problem(client.put(f"{path}?x=1", json=PARTNER, headers=editor), 422, "invalid")
        for wrong in ("%00", "New", "new", "a" * 121, "%ED%A0%80"):
            problem(client.put(f"/v1/partners/{wrong}", json=PARTNER, headers=editor), 422, "invalid")
            problem(client.delete(f"/v1/partners/{wrong}", headers=editor), 404, "not_found")


def test_an_idempotency_key_gives_the_same_answer(
    registry: TestClient, editor: Key, unido: Key, seeded_database: Database
) -> None:
    headers = {**editor, "Idempotency-Key": "once-1"}
    first = registry.post("/v1/projects", json=PROJECT, headers=headers)
    before = count_changes(seeded_database)
    again = registry.post("/v1/projects", json=PROJECT, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert (again.status_code, again.content) == (201, first.content)
    assert count_changes(seeded_database) == before
    other = registry.post("/v1/projects", json={**PROJECT, "kind": "plan"}, headers=headers)
    assert problem(other, 422, "invalid")["errors"][0]["code"] == "key_reused"
    assert (
        registry.post("/v1/projects", json=PROJECT, headers={**unido, "Idempotency-Key": "once-1"}).json()["id"]
        == "a-2"
    )
    refused = registry.post("/v1/projects", json={}, headers={**editor, "Idempotency-Key": "once-2"})
    assert refused.status_code == 422
    assert (
        registry.post("/v1/projects", json=PROJECT, headers={**editor, "Idempotency-Key": "once-2"}).status_code == 201
    )
    for wrong in (b"", b" ", b"a" * 256, "đ".encode()):
        raw = [(name.encode(), value.encode()) for name, value in editor.items()]
        sent = registry.post("/v1/projects", json=PROJECT, headers=[*raw, (b"Idempotency-Key", wrong)])
        problem(sent, 422, "invalid")


def test_partners_write_what_they_keep(registry: TestClient, unido: Key, moit: Key, editor: Key) -> None:
    path, body = "/v1/projects/kept", {name: value for name, value in PROJECT.items() if name != "managed_by"}
    made = registry.put(path, json=body, headers=unido)
    assert (made.status_code, made.json()["managed_by"]) == (201, "unido")
    changed = {**body, "status": "past"}
    problem(registry.put(path, json=changed, headers={**moit, "If-Match": "*"}), 403, "forbidden")
    problem(registry.delete(path, headers={**moit, "If-Match": "*"}), 403, "forbidden")
    problem(
        registry.put(path, json={**changed, "managed_by": "moit"}, headers={**unido, "If-Match": "*"}), 403, "forbidden"
    )
    problem(
        registry.put(path, json={**changed, "managed_by": None}, headers={**unido, "If-Match": "*"}), 403, "forbidden"
    )
    assert registry.put(path, json=changed, headers={**unido, "If-Match": "*"}).json()["managed_by"] == "unido"
    handed = registry.put(path, json={**changed, "managed_by": "moit"}, headers={**editor, "If-Match": "*"})
    assert handed.json()["managed_by"] == "moit"
    problem(registry.put(path, json=body, headers={**unido, "If-Match": "*"}), 403, "forbidden")
    assert registry.delete(path, headers={**moit, "If-Match": "*"}).status_code == 204


def test_a_draft_is_there_for_its_writers_alone(registry: TestClient, unido: Key, moit: Key, editor: Key) -> None:
    path, draft = "/v1/projects/secret", {**PROJECT, "state": "draft"}
    made = registry.put(path, json=draft, headers=unido)
    assert made.status_code == 201
    for key in (unido, editor):
        read = registry.get(path, headers={**key, "Accept-Encoding": "identity"})
        assert (read.status_code, read.content) == (200, made.content)
        assert (read.headers["etag"], read.headers["cache-control"]) == (made.headers["etag"], "private, no-cache")
        assert registry.get(path, headers={**key, "If-None-Match": made.headers["etag"]}).status_code == 304
        assert registry.get(f"{path}?fields=state", headers=key).json() == {"id": "secret", "state": "draft"}
        listed = registry.get("/v1/projects?state=draft&total=true", headers=key)
        assert ([each["id"] for each in listed.json()["items"]], listed.json()["total"]) == (["secret"], 1)
        assert listed.headers["cache-control"] == "private, no-cache"
        problem(registry.get(f"{path}?include=partners", headers=key), 422, "invalid")
    assert registry.get("/v1/projects?state=draft", headers=moit).json()["items"] == []
    problem(registry.get("/v1/projects?state=draft"), 401, "unauthorized")
    for key in ({}, moit):
        problem(registry.get(path, headers=key), 404, "not_found")
        assert "secret" not in registry.get("/v1/projects?limit=200", headers=key).text
        problem(registry.get(f"{path}/figures", headers=key), 404, "not_found")
    headers = {**moit, "If-Match": "*"}
    problem(registry.delete(path, headers=headers), 404, "not_found")
    problem(registry.patch(path, content="{}", headers={**headers, **PATCH}), 404, "not_found")
    problem(registry.put(path, json=PROJECT, headers=headers), 409, "id_taken")
    ours = {**PROJECT, "managed_by": "moit", "follows": ["secret"]}
    assert pointers(registry.post("/v1/projects", json=ours, headers=moit)) == {"/follows/0": "unknown_record"}
    theirs = {**PROJECT, "follows": ["secret"]}
    assert pointers(registry.post("/v1/projects", json=theirs, headers=unido)) == {"/follows/0": "links_to_draft"}
    shown = registry.patch(path, content='{"state": "published"}', headers={**unido, **PATCH, "If-Match": "*"})
    assert shown.status_code == 200
    assert registry.get(path).content == shown.content


def test_drafts_are_listed_page_by_page(registry: TestClient, unido: Key) -> None:
    for name in "abc":
        registry.put(f"/v1/projects/draft-{name}", json={**PROJECT, "state": "draft"}, headers=unido)
    found, path = [], "/v1/projects?state=draft&limit=1&sort=-id"
    while path:
        page = registry.get(path, headers=unido).json()
        found += [each["id"] for each in page["items"]]
        path = page["next"]
    assert found == ["draft-c", "draft-b", "draft-a"]


def test_a_draft_is_not_searched_or_counted(registry: TestClient, unido: Key, editor: Key) -> None:
    path = "/v1/projects/secret"

    def seen() -> Any:
        found = registry.get("/v1/search?q=zebrafish", headers=editor).json()["items"]
        listed = registry.get("/v1/projects?q=zebrafish&total=true", headers=unido).json()
        counted = registry.get("/v1/projects/facets?facet=status&status=suspended").text
        return len(found), listed["total"], "suspended" in counted

    draft = {**PROJECT, "title": {"en": "Zebrafish"}, "status": "suspended", "state": "draft"}
    assert registry.put(path, json=draft, headers=unido).status_code == 201
    assert seen() == (0, 0, False)
    problem(registry.get("/v1/projects?state=draft&q=zebrafish", headers=unido), 422, "invalid")
    headers = {**unido, **PATCH, "If-Match": "*"}
    assert registry.patch(path, content='{"state": "published"}', headers=headers).status_code == 200
    assert seen() == (1, 1, True)
    assert registry.patch(path, content='{"state": "draft"}', headers=headers).status_code == 200
    assert seen() == (0, 0, False)


def test_a_deleted_draft_was_never_there(registry: TestClient, unido: Key, moit: Key) -> None:
    path, headers = "/v1/projects/secret", {**unido, "If-Match": "*"}
    registry.put(path, json={**PROJECT, "state": "draft"}, headers=unido)
    assert registry.delete(path, headers=headers).status_code == 204
    problem(registry.get(path, headers=unido), 410, "gone")
    for key in ({}, moit):
        problem(registry.get(path, headers=key), 404, "not_found")
    problem(registry.delete(path, headers={**moit, "If-Match": "*"}), 404, "not_found")
    problem(registry.put(path, json=PROJECT, headers=moit), 409, "id_taken")


def test_referrers_are_named_as_far_as_they_may_be_seen(
    registry: TestClient, unido: Key, editor: Key, moit: Key
) -> None:
    registry.put("/v1/projects/base", json={**PROJECT, "managed_by": "moit"}, headers=moit)
    registry.put("/v1/projects/secret", json={**PROJECT, "state": "draft", "follows": ["base"]}, headers=unido)
    hidden = problem(registry.delete("/v1/projects/base", headers={**moit, "If-Match": "*"}), 409, "referred_to")
    assert hidden["errors"] == []
    assert "secret" not in str(hidden)
    named = problem(registry.delete("/v1/projects/base", headers={**editor, "If-Match": "*"}), 409, "referred_to")
    assert [each["detail"] for each in named["errors"]] == ["projects/secret refers to it."]


def test_what_published_records_name_is_not_withdrawn(registry: TestClient, editor: Key) -> None:
    headers = {**editor, **PATCH, "If-Match": "*"}
    registry.put("/v1/projects/base", json=PROJECT, headers=editor)
    registry.put("/v1/projects/next", json={**PROJECT, "follows": ["base"]}, headers=editor)
    problem(registry.patch("/v1/projects/base", content='{"state":"draft"}', headers=headers), 409, "referred_to")
    for name in ("next", "base"):
        assert registry.patch(f"/v1/projects/{name}", content='{"state":"draft"}', headers=headers).status_code == 200
    problem(registry.get("/v1/projects/base"), 404, "not_found")


def test_drafts_do_not_hide_the_published_record_that_links(
    registry: TestClient, editor: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many referrers, only some are read."""
    read: list[int] = []

    def visibility(session: Any, resource: Any, ids: list[str]) -> Any:
        read.append(len(ids))
        return states_of(session, resource, ids)

    states_of = edit._visibility
    monkeypatch.setattr(edit, "_visibility", visibility)
    monkeypatch.setattr(edit, "MAX_CHECKED_REFERRERS", 3)
    registry.put("/v1/projects/base", json=PROJECT, headers=editor)
    for name in ("a-draft", "b-draft", "c-draft", "d-draft", "e"):
        state = "draft" if "draft" in name else "published"
        body = {**PROJECT, "state": state, "follows": ["base"]}
        assert registry.put(f"/v1/projects/{name}", json=body, headers=editor).status_code == 201
    headers = {**editor, **PATCH, "If-Match": "*"}
    refused = problem(
        registry.patch("/v1/projects/base", content='{"state":"draft"}', headers=headers), 409, "referred_to"
    )
    assert [each["detail"] for each in refused["errors"]] == ["projects/e refers to it."]
    problem(registry.delete("/v1/projects/base", headers={**editor, "If-Match": "*"}), 409, "referred_to")
    assert read == [1, 3]


def test_a_write_is_seen_at_once_and_by_whom(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    path = "/v1/projects/smart-factory-cooperation"
    for number in range(5):
        body = {**registry.get(path).json(), "title": {"en": f"Title {number}"}}
        assert registry.put(path, json=body, headers={**editor, "If-Match": "*"}).status_code == 200
        assert registry.get(path).json()["title"] == {"en": f"Title {number}"}
    with seeded_database.engine.connect() as connection:
        last = connection.execute(select(CHANGES).order_by(CHANGES.c.sequence.desc()).limit(1)).mappings().one()
    assert last["actor"] == f"key:{editor['Authorization'].split('_')[1]}"
    assert accepted_fields(RESOURCES["projects"], last["body"]).state == "published"


NAMING = ("projects", "agreements", "statements", "milestones")


def test_merging_rewrites_what_names_the_twin(registry: TestClient, editor: Key, seeded_database: Database) -> None:
    twin = key_of(seeded_database, "records:write:own", partner="unido")
    naming = {name: registry.get(f"/v1/{name}?partner=unido&limit=200").json()["items"] for name in NAMING}
    assert sum(map(len, naming.values())) > 20
    registry.put("/v1/partners/unido-2", json={**PARTNER, "name": {"en": "UNIDO"}, "parent": "unido"}, headers=editor)
    code = [{"scheme": "x-port", "value": "P-1"}]
    registry.put("/v1/partners/old-twin", json={**PARTNER, "identifiers": code}, headers=editor)
    merged = registry.post("/v1/partners/old-twin/merge", json={"into": "unido"}, headers=editor)
    assert (merged.status_code, merged.json()["merged_into"], merged.json()["identifiers"]) == (200, "unido", [])
    assert [each["id"] for each in registry.get("/v1/partners?identifier=x-port:P-1").json()["items"]] == ["unido"]
    before = count_changes(seeded_database)
    done = registry.post("/v1/partners/unido/merge", json={"into": "unido-2"}, headers=editor)
    assert (done.status_code, done.json()["merged_into"]) == (200, "unido-2"), done.text
    for resource, items in naming.items():
        for item in items:
            now = registry.get(f"/v1/{resource}/{item['id']}").json()
            assert '"unido"' not in json.dumps(now)
            assert now["version"] == item["version"] + 1
    after = count_changes(seeded_database)
    assert after - before > sum(map(len, naming.values()))
    with seeded_database.engine.connect() as connection:
        written = select(CHANGES.c.resource, CHANGES.c.record_id).where(CHANGES.c.sequence > before)
        rows = connection.execute(written).all()
    assert len(set(rows)) == len(rows) == after - before
    assert registry.get("/v1/partners/unido-2").json()["parent"] is None
    for path in ("/v1/partners/unido?fields=name", "/v1/partners/unido/projects", "/v1/partners/old-twin"):
        moved = registry.get(path, follow_redirects=False)
        problem(moved, 308, "merged")
        assert moved.headers["location"] == path.replace("unido", "unido-2").replace("old-twin", "unido-2")
    assert registry.get("/v1/partners/unido/projects").json()["items"]
    stays = registry.get("/v1/partners/unido-2").json()
    assert "United Nations Industrial Development Organization" in stays["aliases"]
    for found in ("partners?limit=200", "partners?q=unido", "search?q=UNIDO&resource=partners"):
        listed = {each["id"] for each in registry.get(f"/v1/{found}").json()["items"]}
        assert "unido-2" in listed
        assert not listed & {"unido", "old-twin"}
    kinds = registry.get("/v1/partners/facets?facet=kind&limit=50").json()["facets"]["kind"]["values"]
    total = registry.get("/v1/partners?total=true&limit=1").json()["total"]
    assert sum(each["count"] for each in kinds) == total == len(registry.get("/v1/partners?limit=200").json()["items"])
    assert [each["id"] for each in registry.get("/v1/partners?id=unido").json()["items"]] == ["unido"]
    assert len(registry.get("/v1/partners?merged_into=unido-2").json()["items"]) == 2
    again = registry.post("/v1/partners/unido/merge", json={"into": "unido-2"}, headers=editor)
    assert (again.status_code, count_changes(seeded_database)) == (200, after)
    assert registry.post("/v1/projects", json={**PROJECT, "managed_by": "unido-2"}, headers=twin).status_code == 201
    assert pointers(registry.post("/v1/projects", json=PROJECT, headers=editor)) == {"/managed_by": "merged"}
    problem(registry.put("/v1/partners/unido", json=PARTNER, headers={**editor, "If-Match": "*"}), 409, "id_taken")
    problem(registry.delete("/v1/partners/unido", headers={**editor, "If-Match": "*"}), 409, "id_taken")


def test_what_cannot_be_merged_changes_nothing(
    registry: TestClient, editor: Key, unido: Key, seeded_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put("/v1/partners/one", json=PARTNER, headers=editor)
    registry.put("/v1/partners/two", json={**PARTNER, "parent": "one"}, headers=editor)
    registry.put("/v1/partners/three", json={**PARTNER, "parent": "two"}, headers=editor)
    before, path = count_changes(seeded_database), "/v1/partners/one/merge"
    for into in ("one", "nobody", "three"):
        assert set(pointers(registry.post(path, json={"into": into}, headers=editor))) == {"/into"}
    bodies: list[Any] = [{}, {"into": 5}, {"into": "\u0000"}, [], {"into": "two", "x": 1}]
    for body in bodies:
        problem(registry.post(path, json=body, headers=editor), 422, "invalid")
    problem(registry.post(path, json={"into": "two"}, headers={**editor, "If-Match": '"x"'}), 412, "stale")
    problem(registry.post(path, json={"into": "two"}, headers=unido), 403, "forbidden")
    for limit in ("MAX_RELINKED", "MAX_RELINKED_BYTES"):  # all other writes wait for a merge
        with monkeypatch.context() as small:
            small.setattr(merging, limit, 0)
            problem(registry.post(path, json={"into": "unido"}, headers=editor), 409, "conflict")
    problem(registry.post("/v1/partners/nobody/merge", json={"into": "two"}, headers=editor), 404, "not_found")
    assert count_changes(seeded_database) == before
