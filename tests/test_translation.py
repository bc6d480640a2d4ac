"""Problems in Vietnamese: which language is chosen, and that every message of the program has a translation."""

import re

import pytest
from starlette.testclient import TestClient

from app.core.errors import PROBLEM_JSON
from app.core.translation import MAX_MESSAGE, PART, catalogue, preferred_language, translated
from app.exchange.formats.media_types import CSV
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
        ("is blank", "không được để trống"),
        ("The request has 3 errors.", "Yêu cầu có 3 lỗi."),
        ("There is no such member here.", "Ở đây không có trường này."),
        ("There is no such member here. Did you mean status?", "Ở đây không có trường này. Có phải ý bạn là status?"),
        ("The URL is not https.", "URL không phải là https."),
        ("String should have at most 1000 characters", "Chuỗi chỉ được có tối đa 1000 ký tự"),
        ("Input should be 'a', 'b' or 'c'", "Giá trị phải là 'a', 'b' hoặc 'c'"),
        ("something that nobody has translated", "something that nobody has translated"),
        ("is blank" * MAX_MESSAGE, "is blank" * MAX_MESSAGE),
    ],
)
def test_a_message_is_translated_with_its_parts(english: str, vietnamese: str) -> None:
    assert translated(english, "vi") == vietnamese
    assert translated(english, "en") == english


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


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/nothing", "/v1/projects/nothing", "/v1/projects?cursor=x", "/v1/keys"]
)
def test_every_layer_speaks_vietnamese(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=VIETNAMESE)
    assert answer.headers["content-language"] == "vi"
    assert answer.json()["detail"] == translated(client.get(path).json()["detail"], "vi")
    assert answer.json()["detail"] != client.get(path).json()["detail"]


def test_the_lines_of_an_import_have_the_language_of_the_reader(registry: TestClient, editor: Key) -> None:
    table = b"id,title.en,status\nin-vietnamese,X,unheard\n"
    found, lines = ended(registry, editor, table, "?resource=projects", CSV)
    english = {error["column"]: error["detail"] for error in lines[0]["errors"]}
    assert english["status"].startswith("is not a code of")
    path = f"/v1/imports/{found['id']}/lines"
    again = registry.get(path, headers={**editor, **VIETNAMESE}).json()["items"]
    vietnamese = {error["column"]: error["detail"] for error in again[0]["errors"]}
    assert vietnamese["status"].startswith("không phải là mã của danh mục")
    assert vietnamese == {column: translated(detail, "vi") for column, detail in english.items()}
