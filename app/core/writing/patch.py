"""JSON Merge Patch, and the members of a body that a writer may set."""

from typing import Any

from app.core.errors import ErrorItem, Invalid
from app.core.model.resource import Resource
from app.core.writing.representation import writable_members


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch (RFC 7396).

    A new `edtf` of a date removes its `earliest` and `latest`, since these are the days that the old one can mean.
    """
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


def writable_body(resource: Resource, record_id: str | None, body: Any) -> dict[str, Any]:
    """Return the body without the members that only the registry sets, so that a response can be sent back.

    Raise Invalid if it is not an object, or if its `resource` or `id` differs from the path. The version, the instants
    and `inferred` are ignored.
    """
    if not isinstance(body, dict):
        raise Invalid(ErrorItem(pointer="", code="invalid_value", detail="The body must be an object."))
    by_path = {"resource": resource.name, "id": record_id or body.get("id")}
    differing = [name for name, value in by_path.items() if body.get(name, value) != value]
    if differing:
        detail = "This must have the value that the path has, or be left out."
        raise Invalid(*(ErrorItem(pointer=f"/{name}", code="read_only", detail=detail) for name in differing))
    return writable_members(body)
