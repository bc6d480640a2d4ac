"""Unknown names in query strings, bodies and tables: few suggestions, few errors and little work, however many."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.errors import MAX_ERRORS, BadQuery, ErrorItem, Invalid
from app.core.http.read_endpoints import query_models
from app.core.model.validation import validate
from app.core.reading.parameters import MAX_PARAMETERS, parse_query
from app.core.values.text import MAX_SUGGESTIONS
from app.exchange.formats.columns import Columns
from app.milestones.models import MILESTONES
from app.projects.models import PROJECTS

SUGGESTED = "Did you mean"


def refused(work: Callable[[], Any]) -> tuple[list[ErrorItem], float]:
    """The errors with which a call refuses its input, and the least CPU time that this took in milliseconds."""
    spent = []
    errors: list[ErrorItem] = []
    for _ in range(5):
        start = time.thread_time()
        with pytest.raises(Invalid) as refusal:
            work()
        spent.append(time.thread_time() - start)
        errors = refusal.value.errors
    return errors, min(spent) * 1000


def suggested(errors: list[ErrorItem]) -> int:
    return sum(SUGGESTED in error.detail for error in errors)


def query_of(count: int) -> bytes:
    return "&".join(f"updated_at_gte_date_l{number}=" for number in range(count)).encode()


def test_some_unknown_parameters_get_a_suggestion_and_many_are_one_error() -> None:
    model = query_models(MILESTONES).page
    errors, _ = refused(lambda: parse_query(model, query_of(MAX_ERRORS)))
    assert (len(errors), suggested(errors)) == (MAX_ERRORS, MAX_SUGGESTIONS)
    errors, milliseconds = refused(lambda: parse_query(model, query_of(MAX_PARAMETERS)))
    assert [error.code for error in errors] == ["unknown_parameter"]
    assert milliseconds < 5  # 0.4 here; comparing every name took 60


def test_a_query_string_with_too_many_parameters_is_refused_before_it_is_decoded() -> None:
    spent = []
    for _ in range(5):
        start = time.thread_time()
        with pytest.raises(BadQuery):
            parse_query(query_models(MILESTONES).page, b"&".join([b"id=%C3%A0%C3%A0"] * 2_000))
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.001  # 0.05 ms here; to decode them takes 8


def test_a_query_string_of_unknown_parameters_is_answered_with_one_error(client: TestClient) -> None:
    response = client.get(f"/v1/milestones?{query_of(300).decode()}")
    assert (response.status_code, len(response.json()["errors"])) == (422, 1)


def test_some_unknown_members_get_a_suggestion() -> None:
    errors, _ = refused(lambda: validate(PROJECTS.fields, {f"titel{number}": 0 for number in range(900)}))
    assert (len(errors), suggested(errors)) == (MAX_ERRORS, MAX_SUGGESTIONS)


def test_a_body_with_very_many_errors_is_refused_without_a_list_of_them() -> None:
    role = {f"partner{number}": 0 for number in range(999)}
    body = {"roles": [role] * 60}
    errors, milliseconds = refused(lambda: validate(PROJECTS.fields, body))
    assert len(errors) == 1
    assert milliseconds < 150  # 25 here; a list of 60,000 errors took 400
    assert len(json.dumps(errors[0].model_dump())) < 1_000


def test_some_unknown_columns_get_a_suggestion_and_many_are_one_error() -> None:
    errors, _ = refused(lambda: Columns(PROJECTS, [f"titel.e{number}" for number in range(MAX_ERRORS)]))
    assert (len(errors), suggested(errors)) == (MAX_ERRORS, MAX_SUGGESTIONS)
    errors, _ = refused(lambda: Columns(PROJECTS, [f"titel.e{number}" for number in range(999)]))
    assert [error.code for error in errors] == ["unknown_column"]
