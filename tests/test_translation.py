"""Problems in Vietnamese: which language is chosen, and that every message of the program has a translation."""

import re
from typing import Annotated, Any

import pytest
from httpx2 import Response
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from starlette.testclient import TestClient

from app.core.errors import PROBLEM_JSON
from app.core.model.validation import FORMS, error_detail
from app.core.translation import MAX_MESSAGE, PART, catalogue, in_language, preferred_language, translated
from app.exchange.formats.media_types import CSV
from tests.support.http import client_of
from tests.support.imports import ended
from tests.support.keys import Key
from tests.support.messages import messages

VIETNAMESE = {"Accept-Language": "vi-VN,vi;q=0.9,en;q=0.8"}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("vi", "vi"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("VI ; Q=0.5", "vi"),
        ("fr,vi;q=0.1", "vi"),
        ("en;q=0.5,vi", "vi"),
        ("vi,en", "vi"),
        ("en,vi", "en"),
        ("en-US,en;q=0.9,vi;q=0.8", "en"),
        ("vi;q=0", "en"),
        ("vi;q=2", "en"),
        ("vi;level=1", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("vi," * 100, "en"),
    ],
)
def test_the_language_is_the_one_with_the_higher_weight(accepted: str, language: str) -> None:
    assert preferred_language(accepted.encode()) == language


def test_every_message_has_a_translation() -> None:
    known = {PART.sub("{}", english) for english in catalogue()}
    missing = {text: place for text, place in messages().items() if text not in known}
    assert missing == {}


def test_a_translation_has_the_parts_of_its_message() -> None:
    for english, vietnamese in catalogue().items():
        parts = PART.findall(english)
        assert set(PART.findall(vietnamese)) <= set(parts), english
        assert len(parts) == len(set(parts)) <= 3, english
        assert not re.search(r"\}\{", english), english  # where one part ends would be undecided


@pytest.mark.parametrize(
    ("english", "vietnamese"),
    [
        ("The text is blank.", "Không được để trống."),
        ("The request has 3 errors.", "Yêu cầu có 3 lỗi."),
        ("There is no such member here.", "Ở đây không có trường này."),
        ("There is no such member here. Did you mean status?", "Ở đây không có trường này. Có phải ý bạn là status?"),
        ("The URL is not https.", "URL không phải là https."),
        ("A key of this registry is valid for at most 1 day.", "Khóa của hệ thống này có hiệu lực tối đa 1 ngày."),
        ("String should have at most 1000 characters", "Chuỗi chỉ được có tối đa 1000 ký tự"),
        ("Input should be 'a', 'b' or 'c'", "Giá trị phải là 'a', 'b' hoặc 'c'"),
        ("something that nobody has translated", "something that nobody has translated"),
        ("The text is blank." * MAX_MESSAGE, "The text is blank." * MAX_MESSAGE),
    ],
)
def test_a_message_is_translated_with_its_parts(english: str, vietnamese: str) -> None:
    assert translated(english, "vi") == vietnamese
    assert translated(english, "en") == english


class Example(BaseModel):
    """A model with one member of each kind."""

    members: dict[str, int] = {}
    items: list[int] = Field(default=[], max_length=2)
    nothing: None = None
    text: str = ""
    yes: bool = True
    number: int = 1
    share: float = 0.5
    form: Annotated[str, StringConstraints(pattern="^[a-c]{3}$")] = "abc"
    choice: Annotated[str, StringConstraints(pattern="^(a|b)$")] = "a"
    part: "Example | None" = None
    counted: dict[str, int] = Field(default={}, max_length=1)


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("members", 1, "Input should be an object"),
        ("part", 1, "Input should be an object"),
        ("items", {}, "Input should be a list"),
        ("items", [1, 2, 3], "List should have at most 2 items"),
        ("counted", {"a": 1, "b": 2}, "Object should have at most 1 item"),
        ("nothing", 1, "Input should be null"),
        ("text", 1, "Input should be a string"),
        ("yes", "x", "Input should be true or false"),
        ("number", "x", "Input should be an integer"),
        ("share", "x", "Input should be a number"),
        ("form", "x", "This does not have the required form. The documentation of the operation describes it."),
        ("choice", "x", "This is not one of the allowed values."),
    ],
)
def test_errors_of_validation_name_no_type_of_python(name: str, value: object, detail: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate({name: value}, strict=True)
    assert [error_detail(error) for error in caught.value.errors()] == [detail]
    assert translated(detail, "vi") != detail


def test_every_form_has_a_translation() -> None:
    assert [form for form in FORMS.values() if form not in catalogue()] == []


def test_a_problem_has_the_language_of_the_request(client: TestClient) -> None:
    english = client.get("/v1/projects?colour=red")
    assert (english.status_code, english.headers["content-language"]) == (422, "en")
    assert english.json()["title"] == "Invalid request"
    answer = client.get("/v1/projects?colour=red", headers=VIETNAMESE)
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert answer.headers["content-language"] == "vi"
    assert "Accept-Language" in answer.headers["vary"]
    found = answer.json()
    assert (found["title"], found["detail"]) == ("Yêu cầu không hợp lệ", "Yêu cầu có một lỗi.")
    assert found["errors"][0]["detail"].startswith("Không có tham số này.")
    assert {name: found[name] for name in ("type", "status", "code")} == {
        name: english.json()[name] for name in ("type", "status", "code")
    }


JSON = {"Content-Type": "application/json"}
PROJECT = {"title": {"en": "Ours"}, "kind": "project", "status": "active", "managed_by": "unido"}
# Method, path, status, and what else is sent. Of each kind of problem there is at least one.
PROBLEMS: list[tuple[str, str, int, dict[str, Any]]] = [
    ("GET", "/v1/projects?q=%ff", 400, {}),
    ("GET", f"/v1/projects?q={'a' * 40_000}", 400, {}),
    ("GET", "/v1/projects?cursor=x", 400, {}),
    ("GET", "/v1/projects", 400, {"headers": {"If-None-Match": '"a",' * 1_000}}),
    ("GET", "/v1/projects", 400, {"headers": {"Host": "a b"}}),
    ("PATCH", "/v1/projects/green", 400, {"headers": {**JSON, "If-Match": "x"}, "content": b"{}"}),
    ("PUT", "/v1/projects/other", 400, {"headers": JSON, "content": b"{"}),
    ("POST", "/v1/imports?resource=projects", 400, {"headers": {"Content-Type": "text/csv"}, "content": b'id\n"x'}),
    ("GET", "/v1/keys/self", 401, {"headers": {"Authorization": "Bearer hoptac_wrong"}}),
    ("GET", "/v1/keys", 403, {}),
    ("GET", "/nothing", 404, {}),
    ("GET", "/v1/projects/nothing", 404, {}),
    ("GET", "/v1/" + "a" * 5_000, 404, {}),
    ("DELETE", "/v1/projects", 405, {}),
    ("POST", "/v1/projects", 409, {"json": {**PROJECT, "id": "green"}}),
    ("DELETE", "/v1/partners/unido", 409, {"headers": {"If-Match": "*"}}),
    ("GET", "/v1/changes?after=1&chain=00000000", 409, {}),
    ("GET", "/v1/projects/gone", 410, {}),
    ("PUT", "/v1/projects/green", 412, {"headers": {"If-Match": '"1-1"'}, "json": PROJECT}),
    ("PUT", "/v1/projects/other", 413, {"headers": JSON, "content": b" " * 1_100_000}),
    ("PUT", "/v1/projects/other", 415, {"headers": {"Content-Type": "text/plain"}, "content": b"{}"}),
    ("GET", "/v1/projects?stauts=active&limit=x", 422, {}),
    ("PUT", "/v1/projects/other", 422, {"json": {**PROJECT, "kind": "x", "colour": 1, "period": "x", "places": ["x"]}}),
    ("PUT", "/v1/projects/green", 428, {"json": {**PROJECT, "status": "past"}}),
]


def test_every_kind_of_problem_is_in_vietnamese(registry: TestClient, editor: Key) -> None:
    for name in ("green", "gone"):
        assert registry.put(f"/v1/projects/{name}", json=PROJECT, headers=editor).status_code == 201
    registry.delete("/v1/projects/gone", headers={**editor, "If-Match": "*"})
    for method, path, status, sent in PROBLEMS:
        headers = {**editor, **sent.get("headers", {})}
        english = registry.request(method, path, **{**sent, "headers": headers})
        assert (english.status_code, english.headers["content-type"]) == (status, PROBLEM_JSON), (path, english.text)
        assert_translated(registry.request(method, path, **{**sent, "headers": {**headers, **VIETNAMESE}}), english)


def test_limits_and_failures_are_in_vietnamese(seeded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with client_of(seeded, rate_limit_address=3) as limited:
        answers = [limited.get("/v1", headers=VIETNAMESE) for _ in range(4)]
        assert_translated(answers[-1], limited.get("/v1"))
    with client_of("sqlite:////no/such/folder/x.db") as without_database:
        assert_translated(*(without_database.get("/v1/projects", headers=of) for of in (VIETNAMESE, {})))
    monkeypatch.setattr("app.core.reading.reads.ResourceReads.page", lambda *_: 1 / 0)
    with client_of(seeded) as failing:
        assert_translated(*(failing.get("/v1/projects", headers=of) for of in (VIETNAMESE, {})))


def assert_translated(vietnamese: Response, english: Response) -> None:
    """Check that the first response is the second one with every message in Vietnamese."""
    assert (vietnamese.status_code, vietnamese.headers["content-language"]) == (english.status_code, "vi")
    assert english.status_code >= 400
    original, found = english.json(), vietnamese.json()
    assert found == in_language(original, "vi")
    for shown, other in zip([found, *found["errors"]], [original, *original["errors"]], strict=True):
        assert shown["detail"] != other["detail"], other
    assert found["title"] != original["title"]


def test_the_lines_of_an_import_have_the_language_of_the_reader(registry: TestClient, editor: Key) -> None:
    table = b"id,title.en,status\nin-vietnamese,X,unheard\n"
    found, lines = ended(registry, editor, table, "?resource=projects", CSV)
    english = {error["column"]: error["detail"] for error in lines[0]["errors"]}
    assert english["status"].startswith("This is not a code of")
    path = f"/v1/imports/{found['id']}/lines"
    again = registry.get(path, headers={**editor, **VIETNAMESE}).json()["items"]
    vietnamese = {error["column"]: error["detail"] for error in again[0]["errors"]}
    assert vietnamese["status"].startswith("Đây không phải là mã của danh mục")
    assert vietnamese == {column: translated(detail, "vi") for column, detail in english.items()}


def test_the_warnings_about_a_table_have_the_language_of_the_reader(registry: TestClient, editor: Key) -> None:
    table = b"STT,id,title.en,status\n1,warned-in-vietnamese,X,active\n,Total,,\n"
    found, _ = ended(registry, editor, table, "?resource=projects", CSV)
    path = f"/v1/imports/{found['id']}"
    english = registry.get(path, headers=editor).json()["table"]["warnings"]
    vietnamese = registry.get(path, headers={**editor, **VIETNAMESE}).json()["table"]["warnings"]
    assert [warning["detail"] for warning in vietnamese] == [translated(w["detail"], "vi") for w in english]
    assert english
    assert vietnamese != english
