"""Texts that cannot be read."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal_column, or_

from app.agreements.models import AGREEMENTS
from app.analysis.audit.rule import Case, Finding, JsonRecord, rule
from app.core.change_log import CHANGES
from app.core.database.sql import position_of
from app.core.model.resource import Resource
from app.core.model.texts import name_texts, other_texts
from app.core.values.garbled import garbled_as
from app.documents.models import DOCUMENTS
from app.figures.models import FIGURES
from app.milestones.models import MILESTONES
from app.partners.models import PARTNERS
from app.places.models import PLACES
from app.projects.models import PROJECTS
from app.statements.models import STATEMENTS

# A representation with a garbled text contains one of these: UTF-8 read as Windows-1252, TCVN3, VNI, lost letters.
SIGNS = ("áº", "á»", "Ã", "Ä", "Æ°", "®", "\u00ad", "¬", "¸", "µ", "¹", "ñ", "ö", "aø", "oâ", "�", "?")
RECORDS_IN_STEP = 250  # finding a sign reads whole records: about 50 microseconds for each
LOST = re.compile(r"[^\W\d_]\?+[^\W\d_]|\ufffd")  # «B? Công Th??ng»
MIN_LOST = 2
LAST_CHANGE = CHANGES.alias("last_change")


def _has_sign(resource: Resource) -> ColumnElement[bool]:
    """Return the condition that the representation of a record contains one of the signs."""
    body: Any = func.coalesce(resource.table.body, LAST_CHANGE.c.body)
    signs = [position_of(body, literal_column(f"'{sign}'")) > 0 for sign in SIGNS]
    return exists().where(LAST_CHANGE.c.sequence == resource.table.change, or_(*signs))


def garbled_text(case: Case) -> Iterator[Finding]:
    """A text was read in a wrong encoding, was written for the fonts of TCVN3 or VNI, or has lost letters.

    The first such text of a record is reported.
    """
    for path, text in _texts(case):
        if garbled_as(text) or _has_lost_letters(text):
            yield case.finding(
                "Văn bản ở {path} bị lỗi bảng mã hoặc phông chữ.",
                "The text in {path} is garbled: it is in a wrong encoding, or written for old fonts.",
                evidence=[(case.record, (path.partition(".")[0].partition("[")[0],))],
                path=path,
            )
            return


def _texts(case: Case) -> list[tuple[str, str]]:
    record: JsonRecord = case.record
    return [*name_texts(case.rule.resource, record), *other_texts(case.rule.resource, record)]


def _has_lost_letters(text: str) -> bool:
    return "://" not in text and len(LOST.findall(text)) >= MIN_LOST


for _resource in (PROJECTS, PARTNERS, AGREEMENTS, MILESTONES, STATEMENTS, FIGURES, DOCUMENTS, PLACES):
    rule(
        "A garbled text",
        "Văn bản lỗi phông, lỗi mã",
        "warning",
        _resource,
        partial(_has_sign, _resource),
        records_in_step=RECORDS_IN_STEP,
    )(garbled_text)
