"""The shape of the records in a response: a selection of fields, labels of codes, and texts in one language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

from app.core.errors import ErrorItem, Invalid
from app.core.model.labels import in_one_language, labelled
from app.core.model.resource import Resource
from app.core.reading.includes import Includes
from app.core.values.json import from_json, to_json
from app.core.values.text import Suggestions

OF_INCLUDED = "fields[{}]"  # the parameter with the fields of the records that a name includes

SHAPING = frozenset({"fields", "included_fields", "labels", "lang"})


@dataclass(frozen=True)
class Shape:
    """The form in which a request wants its records.

    If it is empty, the stored representations are sent as they are.
    """

    fields: str | None = None
    included_fields: Mapping[str, str] = field(default_factory=dict)
    labels: str | None = None
    lang: str | None = None

    @classmethod
    def of(cls, query: Any) -> "Shape":
        """Return the shape that a query asks for. An export has fewer parameters than a list."""
        if not SHAPING.intersection(query.model_fields_set):
            return PLAIN
        included_fields, labels, lang = (getattr(query, name, None) for name in ("included_fields", "labels", "lang"))
        return cls(query.fields, included_fields or {}, labels, lang)

    def check(self, resource: Resource, includes: Includes | None) -> None:
        """Raise Invalid if a name is not a field, or if fields are chosen for records that are not included."""
        if not self.fields and not self.included_fields:
            return
        errors = list(_unknown_fields("fields", self.fields, [resource]))
        included = {} if includes is None else includes.resources
        for name, fields in self.included_fields.items():
            parameter = OF_INCLUDED.format(name)
            if name in included:
                errors += _unknown_fields(parameter, fields, included[name])
            else:
                detail = "include does not contain this name, or what it adds has no fields to choose."
                errors.append(ErrorItem(parameter=parameter, code="unknown_include", detail=detail))
        if errors:
            raise Invalid(*errors)

    @property
    def is_empty(self) -> bool:
        """Whether the requested records are sent as they are stored."""
        return not (self.fields or self.labels or self.lang)

    @property
    def languages(self) -> tuple[str | None, str | None]:
        """The languages of the labels and of the texts, if they are stated."""
        return self.labels, self.lang

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The parameters of the request."""
        own = {"fields": self.fields, "labels": self.labels, "lang": self.lang}
        of_included = {OF_INCLUDED.format(name): fields for name, fields in self.included_fields.items()}
        return [(name, value) for name, value in {**own, **of_included}.items() if value]

    def apply(self, resource: Resource, body: bytes) -> bytes:
        """Return the requested form of a record."""
        return body if self.is_empty else self._shaped(resource, body, self.fields)

    def apply_to_included(self, name: str, records: Mapping[str, tuple[Resource, bytes]]) -> Mapping[str, bytes]:
        """Return the requested form of the records that a name includes."""
        fields = self.included_fields.get(name)
        if not (fields or self.labels or self.lang):
            return {record_id: body for record_id, (_, body) in records.items()}
        return {record_id: self._shaped(resource, body, fields) for record_id, (resource, body) in records.items()}

    def parameters_of_included(self, name: str) -> list[tuple[str, str]]:
        """Return the parameters with which a list returns the records that a name includes in this form."""
        parameters = {"fields": self.included_fields.get(name), "labels": self.labels, "lang": self.lang}
        return [(parameter, value) for parameter, value in parameters.items() if value]

    def _shaped(self, resource: Resource, body: bytes, fields: str | None) -> bytes:
        record = from_json(body)
        if fields:
            names = _requested(fields)
            record = {name: value for name, value in record.items() if name in names}
        if self.lang:
            record = in_one_language(resource.shown, record, self.lang)
        if self.labels:
            record = labelled(resource.shown, record, self.labels)
        return to_json(record)


PLAIN = Shape()


@lru_cache(maxsize=256)
def _requested(fields: str) -> frozenset[str]:
    return frozenset({"id", *fields.split(",")})


def _unknown_fields(parameter: str, fields: str | None, resources: list[Resource]) -> list[ErrorItem]:
    """Return an error if a name is not a field of one of these resources."""
    members = chain.from_iterable(resource.shown.model_fields.items() for resource in resources)
    names = {entry.alias or name for name, entry in members}
    unknown = [name for name in (fields.split(",") if fields else ()) if name not in names]
    if not unknown:
        return []
    suggestion = Suggestions().similar_to(unknown[0], names)
    detail = f"{parameter} contains a name that is not a field of this resource.{suggestion}"
    return [ErrorItem(parameter=parameter, code="unknown_field", detail=detail)]
