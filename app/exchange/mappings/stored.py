"""Stored mappings: their table, and what the endpoints do with it."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic import Field as Described
from sqlalchemy import Text, func
from sqlmodel import Field, Session, SQLModel, col, select

from app.core.access.caller import Caller
from app.core.change_log import now
from app.core.database.tables import BYTEWISE
from app.core.errors import Conflict, ErrorItem, Invalid, NotFound, TooLarge
from app.core.maintenance.redact import REPLACED_BY, TEXTS
from app.exchange.formats.mapping import MappingFields, check_mapping
from app.partners.merging import WHEN_MERGED

MAX_MAPPINGS = 100  # of a partner or a key
MAX_BYTES = 50_000  # of a mapping as JSON

PARTNER = "partner:"
KEY = "key:"


def replace_texts(replace: Callable[[str], str], mapping: Any) -> Any:
    """Return the JSON of a mapping with the texts that come from tables replaced. Paths stay as they are."""

    def replaced(value: Any) -> Any:
        return replace(value) if isinstance(value, str) else value

    def column(entry: dict[str, Any]) -> dict[str, Any]:
        members = {name: replaced(value) for name, value in entry.get("with", {}).items()}
        values = {replace(text): replaced(value) for text, value in (entry.get("values") or {}).items()}
        return {**entry, **({"with": members} if members else {}), **({"values": values} if values else {})}

    texts: dict[str, Any] = {name: [*map(replace, mapping[name])] for name in ("ignore", "required") if name in mapping}
    if "constants" in mapping:
        texts["constants"] = {path: replaced(value) for path, value in mapping["constants"].items()}
    if "sheet" in mapping:
        texts["sheet"] = replaced(mapping["sheet"])
    return {**mapping, "columns": {replace(name): column(item) for name, item in mapping["columns"].items()}, **texts}


class StoredMapping(SQLModel, table=True):
    """A mapping. `owner` is a partner or a key, after its prefix. `content` is JSON."""

    __tablename__ = "import_mappings"

    owner: str = Field(sa_type=BYTEWISE, primary_key=True)
    name: str = Field(sa_type=BYTEWISE, primary_key=True)
    resource: str = Field(sa_type=BYTEWISE)
    content: str = Field(sa_type=Text, sa_column_kwargs={"info": {TEXTS: "mapping", REPLACED_BY: replace_texts}})
    updated_at: str = Field(sa_type=BYTEWISE)


class MappingListed(BaseModel):
    """A mapping in the list."""

    name: str = Described(description="Name of the mapping, which is part of its path.")
    resource: str = Described(description="Plural name of the resource whose records the tables contain.")
    updated_at: str = Described(description="Time at which the mapping was stored (RFC 3339, UTC).")


class MappingShown(MappingFields):
    """A mapping as it is stored."""

    name: str = Described(description="Name of the mapping, which is part of its path.")
    updated_at: str = Described(description="Time at which the mapping was stored (RFC 3339, UTC).")


class MappingList(BaseModel):
    """The mappings of a partner or a key, in the order of their names."""

    items: list[MappingListed] = Described(max_length=MAX_MAPPINGS, description="All mappings, on one page.")


def owner_of(caller: Caller) -> str:
    """Return the owner of the mappings that a caller stores."""
    return f"{PARTNER}{caller.partner}" if caller.partner else f"{KEY}{caller.key}"


def list_mappings(session: Session, caller: Caller) -> list[MappingListed]:
    """Return the mappings of the caller."""
    query = select(StoredMapping).where(StoredMapping.owner == owner_of(caller)).order_by(col(StoredMapping.name))
    return [MappingListed(**row.model_dump(include={"name", "resource", "updated_at"})) for row in session.exec(query)]


def read_mapping(session: Session, caller: Caller, name: str) -> MappingShown:
    """Return a mapping of the caller. Raise NotFound if there is none with this name."""
    row = session.get(StoredMapping, (owner_of(caller), name))
    if row is None:
        raise NotFound("There is no mapping with this name.")
    fields = MappingFields.model_validate_json(row.content)
    return MappingShown(**fields.model_dump(by_alias=True), name=name, updated_at=row.updated_at)


def mapping_for(session: Session, caller: Caller, name: str, resource: str) -> MappingFields:
    """Return the mapping for an import of a resource. Raise Invalid if there is none, or it is for another resource."""
    row = session.get(StoredMapping, (owner_of(caller), name))
    if row is None or row.resource != resource:
        detail = "There is no mapping with this name for the resource. GET /v1/import-mappings lists the mappings."
        raise Invalid(ErrorItem(parameter="mapping", code="invalid_value", detail=detail))
    return MappingFields.model_validate_json(row.content)


def store_mapping(session: Session, caller: Caller, name: str, fields: MappingFields) -> tuple[MappingShown, bool]:
    """Store a mapping of the caller, and return it and whether it is new. Raise Invalid, Conflict or TooLarge."""
    check_mapping(fields)
    content = fields.model_dump_json(by_alias=True, exclude_defaults=True)
    if len(content.encode()) > MAX_BYTES:
        raise TooLarge(f"A mapping has at most {MAX_BYTES:,} bytes as JSON.")
    owner = owner_of(caller)
    row = session.get(StoredMapping, (owner, name))
    is_new = row is None
    if row is None:
        count = select(func.count()).select_from(StoredMapping).where(StoredMapping.owner == owner)
        if session.exec(count).one() >= MAX_MAPPINGS:
            raise Conflict(f"A partner or a key has at most {MAX_MAPPINGS} mappings. Delete one first.")
        row = StoredMapping(owner=owner, name=name, resource="", content="", updated_at="")
    row.resource = fields.resource
    row.content = content
    row.updated_at = now()
    session.add(row)
    session.flush()
    return read_mapping(session, caller, name), is_new


def delete_mapping(session: Session, caller: Caller, name: str) -> None:
    """Delete a mapping of the caller. Raise NotFound if there is none with this name."""
    row = session.get(StoredMapping, (owner_of(caller), name))
    if row is None:
        raise NotFound("There is no mapping with this name.")
    session.delete(row)


def follow_merged(session: Session, duplicate: str, into: str) -> None:
    """Give the mappings of a merged partner to the partner that remains. Its own ones stay if names are equal."""
    target = f"{PARTNER}{into}"
    own_names = set(session.exec(select(StoredMapping.name).where(StoredMapping.owner == target)))
    for row in session.exec(select(StoredMapping).where(StoredMapping.owner == f"{PARTNER}{duplicate}")):
        if row.name not in own_names:
            row.owner = target


WHEN_MERGED.append(follow_merged)
