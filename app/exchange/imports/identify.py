"""Matching: which record a line without `id` updates, or the id of the record that it creates.

The first of these that finds a record decides:

1. An identifier. A line with `{"scheme": "x-port", "value": "P-1"}` updates the record with this identifier.
2. Of a partner, a name. A line with the name "Coast  agency" or the alias "CDH" updates the partner "Coast Agency" with
   the alias "CDH", unless its country or another name contradicts that (see `partner_names.py`).
3. The title, name or summary, turned into an id. "Green ports" becomes `green-ports`. The line updates the record with
   this id if that has the same title, and creates it if the id was never used.

If several records are found, or the id belongs to a record with another title, the line is refused: it needs an `id`.
"""

import json
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from app.core.access.caller import Caller
from app.core.errors import ERROR_DETAILS, ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.values.text import RESERVED, id_stem
from app.core.writing.batch import Batch
from app.core.writing.edit import used_ids
from app.exchange.imports.partner_names import PartnerNames, identifiers_of, names_of, normalized_name

Match = tuple[str, str | None]  # the id of a record, and by what it was found (None: it is new)

TITLES = ("title", "name", "summary")


def identify(
    session: Session, caller: Caller, resource: Resource, record: dict[str, Any], names: PartnerNames
) -> Match:
    """Return the record of a line without id. Raise Invalid if that is ambiguous, or if no id can be made."""
    matches = _by_identifier(session, caller, resource, record.get("identifiers"))
    if not matches and resource.name == "partners":
        partners = set[str]().union(*(names.find(session, name) for name in names_of(record)))
        matches = {(partner, "name") for partner in partners if names.is_compatible(session, partner, record)}
    if len(matches) > 1:
        raise _invalid_id("ambiguous")
    return matches.pop() if matches else _by_title(session, caller, resource, record)


def _invalid_id(code: str) -> Invalid:
    return Invalid(ErrorItem(pointer="/id", code=code, detail=ERROR_DETAILS[code]))


def _by_identifier(session: Session, caller: Caller, resource: Resource, identifiers: Any) -> set[Match]:
    """Return the records with these identifiers that the caller can see. The target replaces a merged partner."""
    table = resource.identifiers
    owner = resource.table
    if table is None:
        return set()
    merged_into = resource.merged_into_column
    record_id = owner.id if merged_into is None else func.coalesce(merged_into, owner.id)
    pairs = set(identifiers_of(identifiers))
    if not pairs:
        return set()
    query = select(record_id, owner.state, owner.managed_by, table.c.scheme, table.c.value)
    query = query.join(table, table.c.record_id == owner.id)
    query = query.where(
        table.c.scheme.in_([scheme for scheme, _ in pairs]), table.c.value.in_([value for _, value in pairs])
    )
    return {
        (row[0], "identifier")
        for row in session.execute(query)
        if (row[3], row[4]) in pairs and caller.can_see(row[1], row[2])
    }


def _by_title(session: Session, caller: Caller, resource: Resource, record: dict[str, Any]) -> Match:
    member = next((name for name in TITLES if name in resource.fields.model_fields), "")
    title = record.get(member)
    texts = {tag: text for tag, text in title.items() if isinstance(text, str)} if isinstance(title, dict) else {}
    record_id = id_stem(texts)
    if not record_id:
        raise _invalid_id("no_id")
    if not used_ids(session, resource, [record_id]) and record_id not in RESERVED:
        return record_id, None
    present = Batch(session, "").stored(resource, [record_id]).get(record_id)
    if present is None or not caller.can_see(present.state, present.managed_by):
        raise _invalid_id("id_taken")
    present_texts = json.loads(present.body)[member]
    shared_tags = [tag for tag in texts if tag in present_texts]
    is_same = all(normalized_name(texts[tag]) == normalized_name(present_texts[tag]) for tag in shared_tags)
    if not shared_tags or not is_same:
        raise _invalid_id("id_taken")
    return record_id, "title"
