"""A change of what is stored for a record comes with a raised RENDERING or INDEXING."""

import json

import pytest
from pydantic import create_model

from app.catalogue import RESOURCES
from app.core.model.resource import Resource
from app.core.search.entries import IndexEntry
from app.partners.models import PARTNERS
from tests import fingerprints


def test_stored_representations_and_terms_have_the_committed_fingerprints() -> None:
    committed = json.loads(fingerprints.FILE.read_text("utf-8"))
    now = fingerprints.present()
    assert list(fingerprints.advice(committed, now)) == []
    assert now == committed, "run `make contract`"


def test_a_new_member_asks_for_a_raised_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints.present()
    changed = create_model("PartnerShown", __base__=PARTNERS.shown, remark=(str | None, None))
    monkeypatch.setattr(Resource, "__setattr__", object.__setattr__)
    monkeypatch.setattr(PARTNERS, "shown", changed)
    found = list(fingerprints.advice(before, fingerprints.present()))
    assert [line.partition(":")[0] for line in found] == ["partners"]
    assert "Raise RENDERING" in found[0]


def test_other_texts_ask_for_a_raised_indexing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints.present()
    monkeypatch.setattr(IndexEntry, "of", lambda *_: IndexEntry("\n", "\n", "\n", b"", "5other", ()))
    found = list(fingerprints.advice(before, fingerprints.present()))
    assert len(found) == 1
    assert found[0].startswith(", ".join(sorted(resource.name for resource in RESOURCES)))
    assert "Raise INDEXING" in found[0]
