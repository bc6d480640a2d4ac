"""Imprecise dates: the EDTF profile, its bounds, and what is refused."""

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.values.dates import Edtf, ends, parse_edtf


@pytest.mark.parametrize(
    ("written", "earliest", "latest"),
    [
        ("2022", "2022-01-01", "2022-12-31"),
        ("2022-02", "2022-02-01", "2022-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2022-02-28", "2022-02-28", "2022-02-28"),
        ("2021-09-07T21:02", "2021-09-07", "2021-09-07"),
        ("2021-09-07T21:02:30Z", "2021-09-07", "2021-09-07"),
        ("2021-09-08T04:02+07:00", "2021-09-08", "2021-09-08"),
        ("2024-33", "2024-01-01", "2024-03-31"),
        ("2024-36", "2024-10-01", "2024-12-31"),
        ("2022?", "2022-01-01", "2022-12-31"),
        ("2022-05~", "2022-05-01", "2022-05-31"),
        ("2024/2028", "2024-01-01", "2028-12-31"),
        ("2022-02/2022-12", "2022-02-01", "2022-12-31"),
        ("2015/..", "2015-01-01", None),
        ("../2024-05-31", None, "2024-05-31"),
        ("[..2024-05-31]", None, "2024-05-31"),
    ],
)
def test_a_date_means_every_day_it_can_mean(written: str, earliest: str | None, latest: str | None) -> None:
    assert Edtf.of(written).model_dump(mode="json") == {"edtf": written, "earliest": earliest, "latest": latest}
    assert Edtf.model_validate({"edtf": written, "earliest": earliest, "latest": latest}) == Edtf.of(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "22",
        "2022-13",
        "2022-00",
        "2022-02-30",
        "2022-2",
        "0000",
        "2022/",
        "/2022",
        "../..",
        "2028/2024",
        "2022-02-28T24:00",
        "2022-02-28T1:00",
        "2022 ",
        "２０２２",
        "2022-37",
        "2022//2023",
        "x" * 41,
        "2022-02-28T14:15+7",
        "2022-02-28T14:15+19:00",
        "[2022]x",
    ],
)
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        Edtf.of(written)


@pytest.mark.parametrize("given_", [0, 20220228, True, None, ["2022"], {"edtf": 2022}, {"edtf": "2022", "x": 1}, {}])
def test_other_types_are_refused(given_: object) -> None:
    with pytest.raises(ValidationError):
        Edtf.model_validate(given_)


def test_an_object_whose_ends_disagree_is_refused() -> None:
    with pytest.raises(ValidationError):
        Edtf.model_validate({"edtf": "2022", "earliest": "2022-01-02", "latest": "2022-12-31"})


@given(st.dates(min_value=date(1, 1, 1)))
def test_every_day_is_itself(day: date) -> None:
    assert parse_edtf(day.isoformat()) == (day, day)


@given(st.dates(min_value=date(1, 1, 1)), st.dates(min_value=date(1, 1, 1)))
def test_intervals_are_ordered(one: date, other: date) -> None:
    first, last = sorted((one, other))
    assert parse_edtf(f"{first}/{last}") == (first, last)


@given(st.text(alphabet=string.digits + "-/.T:?~%[] ", max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        span = parse_edtf(text)
    except ValueError:
        return
    assert span.earliest is None or span.latest is None or span.earliest <= span.latest


@pytest.mark.parametrize(
    ("written", "both"),
    [
        ("2024/2028", ("2024", "2028")),
        ("2022-02", ("2022-02", "2022-02")),
        ("2015/..", ("2015", None)),
        ("../2024-05-31", (None, "2024-05-31")),
        ("[..2024-05-31]", (None, "2024-05-31")),
        ("[2024-05..]", ("2024-05", None)),
    ],
)
def test_an_extent_has_a_start_and_an_end_of_their_own_precision(
    written: str, both: tuple[str | None, str | None]
) -> None:
    parse_edtf(written)
    assert ends(written) == both
