"""The check: the dataset is clean, and each kind of mistake is found."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.values.dates import Edtf
from app.core.values.evidence import Citation, Voice
from seed.consistency import check
from seed.files import DATASET, Dataset, DatasetError, IgnoredTokens, read
from seed.quotations import prove

DOCUMENTS = Path(__file__).parents[2] / "shared" / "documents"
with_texts = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the source texts are not on this machine")


def edited(dataset: Dataset, resource: str, record_id: str, **values: Any) -> Dataset:
    copy = Dataset(dict(dataset.records), dataset.files, list(dataset.ignored))
    copy.records[resource, record_id] = copy.records[resource, record_id].model_copy(update=values)
    return copy


def recited(dataset: Dataset, resource: str, record_id: str, number: int, **values: Any) -> Dataset:
    citations: list[Citation] = list(dataset.records[resource, record_id].citations)
    citations[number] = citations[number].model_copy(update=values)
    return edited(dataset, resource, record_id, citations=citations)


def test_the_dataset_has_no_problem_in_itself(dataset: Dataset) -> None:
    assert check(dataset) == []


@with_texts
def test_the_dataset_says_what_the_texts_say(dataset: Dataset) -> None:
    proof = prove(dataset, DOCUMENTS)
    assert proof.problems == []
    assert proof.citations > 800
    assert proof.tokens > 90


TARGET, EXPERTS = "smart-factory-enterprises-target-2022-2023", "smart-factory-experts-2022"
NORTH = "smart-factory-enterprises-2022-north"
Edit = Callable[[Dataset], Dataset]
MISTAKES: dict[str, tuple[Edit, str]] = {
    "a reference to nothing": (
        lambda d: edited(d, "projects", "smart-factory-cooperation", places=["atlantis"]),
        "places/atlantis",
    ),
    "a part that breaks the sum": (lambda d: edited(d, "figures", NORTH, value=15), "its parts"),
    "a unit that is not the indicator's": (
        lambda d: edited(d, "figures", TARGET, unit="person"),
        "that of its indicator",
    ),
    "a part in another kind": (lambda d: edited(d, "figures", NORTH, kind="target"), "kind"),
    "a place inside itself": (lambda d: edited(d, "places", "viet-nam", parent="da-nang"), "leads back to itself"),
    "a record without evidence": (lambda d: edited(d, "partners", "unido", citations=[]), "no citation"),
    "words without a paragraph": (
        lambda d: recited(d, "figures", TARGET, 0, paragraph=None),
        "paragraph and as_written",
    ),
    "an external source without a note": (
        lambda d: recited(d, "places", "da-nang", 0, basis="external", note=None),
        "external",
    ),
    "support of a field that is none": (lambda d: recited(d, "figures", TARGET, 0, supports=["valeu"]), "not a field"),
    "one language only": (lambda d: edited(d, "partners", "unido", name={"vi": "UNIDO"}), "both vi and en"),
    "two partners of one name": (
        lambda d: edited(d, "partners", "seco", aliases=["UNIDO"], country=None),
        "share the name",
    ),
    "done after the report": (
        lambda d: edited(d, "milestones", "asean-apo-conference-first-session", date=Edtf.of("2021-12-10")),
        "later than",
    ),
    "a duration in persons": (
        lambda d: edited(d, "figures", "smart-factory-duration", unit="person"),
        "cannot have the unit person",
    ),
    "intended, yet signed": (
        lambda d: edited(d, "agreements", "smart-factory-mou-2022", status="intended"),
        "but it is signed",
    ),
    "a value that nothing supports": (lambda d: recited(d, "figures", EXPERTS, 0, supports=[]), "supports its value"),
    "a date that nothing supports": (
        lambda d: edited(d, "projects", "moit-samsung-cooperation", period=Edtf.of("2020")),
        "no citation supports its period",
    ),
    "a code of another country": (lambda d: edited(d, "places", "da-nang", code="US-CA"), "is not a code of viet-nam"),
    "one code for two places": (lambda d: edited(d, "places", "bac-ninh", code="VN-DN"), "the same code"),
    "the same place twice": (
        lambda d: edited(d, "projects", "smart-factory-cooperation", places=["viet-nam", "viet-nam"]),
        "duplicate item",
    ),
    "a partner merged into itself": (lambda d: edited(d, "partners", "unido", merged_into="unido"), "links to itself"),
    "a list that is stated and inferred": (
        lambda d: recited(
            recited(d, "projects", "smart-factory-cooperation", 3, supports=["roles"]),
            "projects",
            "smart-factory-cooperation",
            4,
            supports=["roles"],
        ),
        "roles is both stated and inferred",
    ),
    "a title that names nobody": (
        lambda d: edited(d, "projects", "moit-mofa-coordination", title={"vi": "Phối hợp hai Bộ", "en": "Work"}),
        "does not name those",
    ),
    "a speaker whom the words do not name": (
        lambda d: edited(
            d, "figures", "viet-nam-free-trade-agreements-count", said_by=Voice(name="Bùi Thanh Sơn", partner="mofa")
        ),
        "do not name Bùi Thanh Sơn",
    ),
    "a leader whom nobody calls so": (
        lambda d: edited(
            d,
            "projects",
            "smart-factory-cooperation",
            roles=[
                role.model_copy(update={"role": "lead"}) for role in d.of("projects")["smart-factory-cooperation"].roles
            ],
        ),
        "the role lead",
    ),
    "an abbreviation of no source": (
        lambda d: edited(d, "partners", "samsung-vietnam", abbreviation="SVN"),
        "supports its abbreviation",
    ),
    "a collective of unknown members": (
        lambda d: edited(d, "partners", "localities", kind="collective"),
        "the kind of its members",
    ),
    "a term that is lost": (
        lambda d: edited(d, "partners", "unido", description={"vi": "Năng lượng tái tạo", "en": "Energy"}),
        "renewable",
    ),
    "a year that is lost": (
        lambda d: edited(d, "partners", "unido", description={"vi": "Năm 2019", "en": "Then"}),
        "only in one language: 2019",
    ),
    "a breakdown in one language": (
        lambda d: edited(d, "figures", NORTH, breakdown={"region": "phía Bắc"}),
        "not the id of a place",
    ),
    "uneven goals": (lambda d: edited(d, "projects", "smart-factory-cooperation", sdgs=["9"]), "goal 4"),
    "multilateral trade of two sides": (
        lambda d: edited(d, "projects", "thailand-fta-experience-sharing", sectors=["33140"]),
        "multilateral",
    ),
    "a hope that is a group": (lambda d: edited(d, "projects", "new-energy-projects", kind="group"), "only proposed"),
    "a project of nobody": (lambda d: edited(d, "projects", "new-energy-projects", roles=[]), "has no partner"),
    "a result without a period": (lambda d: edited(d, "figures", NORTH, period=None), "a period with an end"),
    "a result without an end": (
        lambda d: edited(d, "figures", NORTH, period=Edtf.of("2015/..")),
        "a period with an end",
    ),
    "work of nobody": (lambda d: edited(d, "figures", NORTH, done_by=[]), "linked to no partner"),
    "one of five as a rank": (
        lambda d: edited(d, "figures", "countries-with-largest-allocation-2023", kind="rank"),
        "its unit is ordinal",
    ),
    "a unit of no source": (lambda d: recited(d, "figures", TARGET, 0, supports=["value"]), "supports its unit"),
    "a draft": (lambda d: edited(d, "partners", "unido", state="draft"), "is a draft"),
    "a value beside words only": (
        lambda d: edited(d, "figures", "export-value-plan-2024", value=379_000_000_000),
        "no citation supports its value",
    ),
    "a hash without paragraphs": (
        lambda d: edited(d, "documents", "mofa-moit-2024", paragraphs=None),
        "must be set together",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_dataset_is_found(dataset: Dataset, name: str) -> None:
    edit, said = MISTAKES[name]
    problems = check(edit(dataset))
    assert any(said in problem for problem in problems), problems


AGAINST_TEXTS: dict[str, tuple[Edit, str]] = {
    "another number": (lambda d: edited(d, "figures", EXPERTS, value=52), "does not say exact 52"),
    "another unit of money": (lambda d: edited(d, "figures", "export-value-2024-8m", unit="VND"), "does not say"),
    "a wrong scale": (lambda d: edited(d, "figures", "export-value-2024-8m", value=265_400_000), "does not say"),
    "growth turned into a fall": (lambda d: edited(d, "figures", "export-growth-2024-8m", value=-16), "does not say"),
    "another date": (
        lambda d: edited(d, "agreements", "smart-factory-mou-2022", signed_on=Edtf.of("2022-03")),
        "signed_on",
    ),
    "a day that the text does not give": (
        lambda d: edited(d, "agreements", "smart-factory-mou-2022", signed_on=Edtf.of("2022-02-01")),
        "signed_on",
    ),
    "a sign": (lambda d: edited(d, "figures", "export-growth-2023-8m", value=10), "does not say"),
    "a hedge that is not there": (lambda d: edited(d, "figures", EXPERTS, qualifier="about"), "does not say about"),
    "a hedge left out": (
        lambda d: edited(d, "figures", "viet-nam-free-trade-agreements-count", qualifier="exact"),
        "does not say exact 17",
    ),
    "another year for a day without one": (
        lambda d: edited(d, "milestones", "deputy-prime-minister-moit-session-2024", date=Edtf.of("2019-09-17")),
        "does not say date",
    ),
    "a part of a word": (lambda d: recited(d, "figures", EXPERTS, 0, as_written="1 chuyên gia"), "whole words"),
    "a speaker who is not there": (
        lambda d: edited(d, "statements", "thailand-requests-fta-experience", said_by=Voice(name="Nguyễn Văn A")),
        "names Nguyễn Văn A",
    ),
    "an inferred date whose words stop before it": (
        lambda d: recited(d, "milestones", "smart-factory-cooperation-start", 0, as_written="trong 02 năm"),
        "stops before the date",
    ),
    "an end of a period that the words do not state": (
        lambda d: edited(d, "figures", "eco-industrial-parks-pilot-conversions", period=Edtf.of("2016/2023-11-07")),
        "does not say /period/earliest",
    ),
    "a heading as a recommendation": (
        lambda d: edited(d, "statements", "recommendation-wider-role-of-localities", kind="recommendation"),
        "only headings",
    ),
    "another paragraph": (lambda d: recited(d, "figures", EXPERTS, 0, paragraph=13), "does not contain"),
    "words that are not there": (
        lambda d: recited(d, "figures", EXPERTS, 0, as_written="51 nhà báo"),
        "does not contain",
    ),
    "another hash": (lambda d: edited(d, "documents", "mofa-moit-2024", sha256="0" * 64), "sha256"),
    "a wrong count of paragraphs": (lambda d: edited(d, "documents", "mofa-moit-2024", paragraphs=20), "paragraphs"),
    "an instrument's number": (
        lambda d: edited(
            d,
            "documents",
            next(k for k, v in d.of("documents").items() if v.number == "35/2022/NĐ-CP"),
            number="36/2022/NĐ-CP",
        ),
        "36/2022",
    ),
    "a number that no record holds": (
        lambda d: Dataset({k: v for k, v in d.records.items() if k != ("figures", EXPERTS)}, d.files, d.ignored),
        "is in no record and is not ignored",
    ),
    "nothing to ignore": (
        lambda d: Dataset(d.records, d.files, [*d.ignored, IgnoredTokens("mofa-moit-2024", 2, 2, ("99",), "none")]),
        "matches nothing",
    ),
}


@with_texts
@pytest.mark.parametrize("name", AGAINST_TEXTS)
def test_a_mistake_against_the_texts_is_found(dataset: Dataset, name: str) -> None:
    edit, said = AGAINST_TEXTS[name]
    problems = prove(edit(dataset), DOCUMENTS).problems
    assert any(said in problem for problem in problems), problems


def test_a_text_that_no_document_has_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("Một văn bản mới", "utf-8")
    problems = prove(dataset, tmp_path).problems
    assert any("no document of the dataset has this text" in problem for problem in problems)
    assert sum("has its sha256" in problem for problem in problems) == 5


BROKEN: dict[str, str | bytes] = {
    "tabs": "projects:\n\tx: 1",
    "a duplicate key": "partners:\n  a: {}\n  a: {}",
    "an unknown resource": "programmes: {a: {}}",
    "a list": "- 1",
    "a field that is none": "partners: {a: {name: {vi: A, en: A}, kind: company, colour: red}}",
    "an unknown code": "partners: {a: {name: {vi: A, en: A}, kind: ministry}}",
    "an id that is none": "partners: {Not_An_Id: {name: {vi: A, en: A}, kind: company}}",
    "a date in month 13": "agreements: {a: {title: {vi: A, en: A}, kind: treaty, status: signed, signed_on: 2022-13}}",
    "a number in words": "figures: {a: {indicator: b, kind: actual, unit: person, value: '5'}}",
    "an ignored entry without a reason": "ignored: [{paragraph: 1}]",
    "no UTF-8": b"\xff\xfe",
    "NUL": 'partners: {a: {name: {vi: "A\0", en: A}, kind: company}}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str) -> None:
    content = BROKEN[name]
    (tmp_path / "broken.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError) as raised:
        read(tmp_path)
    assert all("broken.yaml" in problem for problem in raised.value.problems)


def test_an_id_stands_in_one_file_only(tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        shutil.copy(DATASET / "indicators.yaml", tmp_path / name)
    with pytest.raises(DatasetError) as raised:
        read(tmp_path)
    assert "is already in one.yaml" in raised.value.problems[0]


def test_yaml_keeps_dates_and_words_as_they_are_written() -> None:
    texts = read().records["agreements", "smart-factory-mou-2022"]
    assert texts.signed_on.edtf == "2022-02"  # type: ignore[attr-defined]
