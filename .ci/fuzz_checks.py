"""Checks of ours beside those of Schemathesis, for every answer."""

import json

import schemathesis

# What a query may hold by its schema and is refused all the same, since no schema can say it.
REASONS = {
    "bad_request": "cannot read this as an HTTP/1.1 request",  # such as a target over 64 KiB
    "bad_body": "not strict JSON",  # in a parameter that has JSON
    "bad_query": "control character|longer than",
    "invalid_value": "EDTF|control character|is blank|no such|of the calendar|ends before|year must be|JSON Lines",
    "unknown_include": "include",
    "unknown_field": "field",
    "of_the_past": "cannot be combined with `include`",
    "given_by_path": "The path ",
    "too_many_figures": "More than|more than",
}


@schemathesis.check
def refused_for_a_reason(_, response, case) -> None:
    """A request that fits the contract is only refused for what the contract cannot express."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    problem = json.loads(response.content)
    reasons = [(each["code"], each["detail"]) for each in problem["errors"]] or [(problem["code"], problem["detail"])]
    for code, detail in reasons:
        if not any(words in detail for words in REASONS.get(code, "never").split("|")):
            raise AssertionError(f"refused though it fits the contract: {code}: {detail}")


@schemathesis.check
def problem_json(_, response, case) -> None:
    """Every error is problem+json, agrees with its status and repeats nothing."""
    if response.status_code < 400:
        return
    kind = response.headers.get("content-type", [""])[0]
    assert kind == "application/problem+json" or (case.method == "HEAD" and not response.content), f"an error as {kind}"
    if response.content:
        problem = json.loads(response.content)
        assert problem["status"] == response.status_code, "the status inside is another"
        assert set(problem) == {"type", "title", "status", "detail", "code", "errors"}, f"members {sorted(problem)}"
