"""Text: what is refused, how it folds, how it sorts."""

import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.core.values.normal_forms import JOINER, normalized
from app.core.values.text import _FOLDED, MAX_FOLDED, LanguageMap, Slug, clean, fold, sort_key

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\x1f", "\x7f", "  ", "\r"])
def test_what_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"control|blank"):
        clean(text)


def test_everything_else_stays_as_it_is() -> None:
    for text in ("Bộ Công Thương", unicodedata.normalize("NFD", "Đường"), "tab\tand\nline", "\u00a0x\u200b", "🙂"):
        assert clean(text) == text


@pytest.mark.parametrize("slug", ["unido", "smart-factory-2022", "a", "1"])
def test_slugs(slug: str) -> None:
    assert TypeAdapter(Slug).validate_python(slug) == slug


@pytest.mark.parametrize("slug", ["", "A", "a_b", "-a", "a--b", "a-", "đ", "a" * 121, "facets", "history", "a\n"])
def test_what_is_no_slug(slug: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Slug).validate_python(slug)


@pytest.mark.parametrize("tag", ["vi", "en", "zh-Hant", "pt-BR", "es-419", "fil"])
def test_language_tags(tag: str) -> None:
    assert TypeAdapter(LanguageMap).validate_python({tag: "x"}) == {tag: "x"}


@pytest.mark.parametrize("texts", [{}, {"VI": "x"}, {"vi": ""}, {"vi": " "}, {"vi": 1}, {"vi_VN": "x"}, "x", {"": "x"}])
def test_what_is_no_language_map(texts: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(LanguageMap).validate_python(texts)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ørsted", "orsted"),
        ("Łódź", "lodz"),
        ("삼성", "삼성"),
        ("ðường", "duong"),
        ("Đường", "duong"),
        ("Dương", "duong"),
        ("hòa", "hoa"),
        ("hoà", "hoa"),
        ("Ðà Nẵng", "da nang"),
        ("ỨNG", "ung"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(unicodedata.normalize("NFD", text)) == folded


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_folding_keeps_the_length_of_the_nfc_form(text: str) -> None:
    assert len(fold(text)) == len(unicodedata.normalize("NFC", text))


def test_names_sort_as_in_a_vietnamese_dictionary() -> None:
    words = [
        "An",
        "Ăn",
        "Ân",
        "Ba",
        "Bà",
        "Bả",
        "Bã",
        "Bá",
        "Bạ",
        "Cao",
        "Da",
        "Đa",
        "Em",
        "Ê",
        "Ga",
        "Mo",
        "Mô",
        "Mơ",
        "Ta",
        "Tà",
        "Tu",
        "Tư",
        "Vĩnh",
        "Xa",
        "Ý",
    ]
    assert sorted(set(words), key=sort_key) == words
    assert sorted(["Hà Nội", "Hà Nam", "Hải Dương", "Hạ Long"], key=sort_key) == [
        "Hạ Long",
        "Hà Nam",
        "Hà Nội",
        "Hải Dương",
    ]


@given(st.text())
def test_sort_keys_are_alike_for_every_form_of_a_text(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    assert sort_key(unicodedata.normalize("NFC", text)) == sort_key(decomposed)


def test_the_table_of_folded_characters_is_bounded() -> None:
    everything = "".join(map(chr, range(0xA0, 0x2A6E0))).encode("utf-8", "ignore").decode()
    folded = [fold(everything[start : start + 500]) for start in range(0, len(everything), 500)]
    assert len(_FOLDED) <= MAX_FOLDED
    assert [fold(everything[start : start + 500]) for start in range(0, len(everything), 500)] == folded
    assert fold("Đường Ångström") == "duong angstrom"


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_normalising_many_marks_takes_linear_time(form: Any) -> None:
    marks = "\u0301\u0323" * 100_000
    began = time.thread_time()
    found = normalized(form, f"a{marks}")
    assert time.thread_time() - began < 20  # a quadratic step takes a minute at least
    assert len(found.replace(JOINER, "")) <= len(marks) + 1
    word = "Thuỷ " * 20
    assert normalized(form, word) == unicodedata.normalize(form, word)
    assert normalized(form, "a" + "\u0301\u0323" * 15) == unicodedata.normalize(form, "a" + "\u0301\u0323" * 15)


def test_nothing_else_normalises_texts() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        assert path.stem == "normal_forms" or "unicodedata.normalize" not in path.read_text("utf-8"), path
