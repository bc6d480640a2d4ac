"""Closed lists of codes with their labels, their source, and what they are called in other standards."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

ALL: dict[str, "CodeList"] = {}


class Code(NamedTuple):
    """One code: its labels, and the code of the same meaning in IATI 2.03 where there is one."""

    en: str
    vi: str
    iati: str | None = None


class CodeList:
    """A named list of codes; as `Annotated[str, LIST]` it is the type of a field that takes one of them."""

    def __init__(
        self, name: str, about: str, codes: Mapping[str, Code], *, source: str = "Hoptac", iati: str | None = None
    ) -> None:
        self.name, self.about, self.codes, self.source, self.iati = name, about, dict(codes), source, iati
        ALL[name] = self

    def check(self, code: str) -> str:
        """The code itself, or a ValueError that lists what is allowed (never what was given)."""
        if code not in self.codes:
            allowed = ", ".join(list(self.codes)[:40])
            raise ValueError(f"is not a code of {self.name}: {allowed}")
        return code

    def shown(self) -> dict[str, Any]:
        """The list as `/v1/codelists` serves it."""
        return {
            "name": self.name,
            "description": self.about,
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
        shape = handler(schema)
        shape["enum"] = list(self.codes)
        return shape
