"""JSON Merge Patch."""

from typing import Any

from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.writing.representation import writable_members


def merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, as RFC 7396 has it; the days that a date can mean go with its `edtf`."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    if "edtf" in patch:
        merged = {name: value for name, value in merged.items() if name not in ("earliest", "latest")}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def writable_body(resource: Resource, record_id: str | None, given: Any) -> dict[str, Any]:
    """A body without what only the registry writes, so that what is read can be written back.

    Invalid when it is no object, or says another resource or id than the path; version, instants and inferred are
    ignored.
    """
    if not isinstance(given, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body is an object."))
    named = {"resource": resource.name, "id": record_id or given.get("id")}
    wrong = [name for name, value in named.items() if given.get(name, value) != value]
    if wrong:
        said = "This must be what the path says, or be left out."
        raise Invalid(*(ErrorItem(pointer=f"/{name}", code="read_only", detail=said) for name in wrong))
    return writable_members(given)
