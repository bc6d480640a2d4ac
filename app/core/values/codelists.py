"""Closed lists of codes with labels, sources and the codes of the same meaning in IATI."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

ALL: dict[str, "CodeList"] = {}


class Code(NamedTuple):
    """The labels of one code, and the IATI 2.03 code with the same meaning, if any."""

    en: str
    vi: str
    iati: str | None = None


class CodeList:
    """A named list of codes. `Annotated[str, LIST]` is the type of a field that accepts one of them."""

    def __init__(
        self, name: str, description: str, codes: Mapping[str, Code], *, source: str = "Hoptac", iati: str | None = None
    ) -> None:
        self.name = name
        self.description = description
        self.codes = dict(codes)
        self.source = source
        self.iati = iati
        ALL[name] = self

    def check(self, code: str) -> str:
        """Return the code; ValueError with the allowed codes if it is not one of them."""
        if code not in self.codes:
            allowed = ", ".join(list(self.codes)[:40])
            raise ValueError(f"is not a code of {self.name}: {allowed}")
        return code

    def as_dict(self) -> dict[str, Any]:
        """Return the list as `/v1/codelists` serves it."""
        return {
            "name": self.name,
            "description": self.description,
            "source": self.source,
            "iati_codelist": self.iati,
            "codes": [
                {"code": code, "label": {"en": entry.en, "vi": entry.vi}, "iati": entry.iati}
                for code, entry in self.codes.items()
            ],
        }

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        json_schema = handler(schema)
        json_schema["enum"] = list(self.codes)
        return json_schema
