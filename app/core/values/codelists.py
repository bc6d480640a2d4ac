"""Closed lists of codes with labels, sources and the equivalent codes of IATI."""

import csv
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

ALL: dict[str, "CodeList"] = {}

FOLDER = Path(__file__).parent / "codes"  # lists of other bodies, which `make codelists` writes
MAX_NAMED = 40  # codes that a message lists
MARK = "x-codelist"  # in a JSON Schema: the name of the list to which its codes belong


class Code(NamedTuple):
    """The labels of one code, the IATI 2.03 code with the same meaning, and the wider code, if any.

    The Vietnamese label is empty if the body that publishes the code has none.
    """

    en: str
    vi: str
    iati: str | None = None
    parent: str | None = None

    @property
    def label(self) -> dict[str, str]:
        """The labels by language."""
        return {language: text for language, text in (("en", self.en), ("vi", self.vi)) if text}


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
        self.parts: dict[str, list[str]] = {}
        for code, entry in self.codes.items():
            if entry.parent is not None:
                self.parts.setdefault(entry.parent, []).append(code)
        ALL[name] = self

    def check(self, code: str) -> str:
        """Return the code; ValueError with the allowed codes if it is not one of them."""
        if code not in self.codes:
            intended = self._code_by_label.get(code.strip().casefold())
            if intended is not None:
                raise ValueError(f"This is not a code of {self.name}. Did you mean {intended}?")
            if len(self.codes) > MAX_NAMED:
                raise ValueError(f"This is not a code of {self.name}. See /v1/codelists/{self.name}.")
            raise ValueError(f"This is not a code of {self.name}. The codes are {', '.join(self.codes)}.")
        return code

    @cached_property
    def _code_by_label(self) -> dict[str, str]:
        """The code of each label, symbol and different spelling of a code: `ha`, `Đang thực hiện`, `usd`."""
        by_label: dict[str, str] = {}
        for code, entry in self.codes.items():
            for label in (code, code.replace("_", " "), *entry.label.values()):
                words, _, symbol = label.casefold().rstrip(")").partition(" (")
                for text in (label.casefold(), words, symbol):
                    by_label.setdefault(text, code)
        by_label.pop("", None)
        return by_label

    def with_parts(self, code: str) -> list[str]:
        """Return a code and the narrower codes in it: the purpose codes of a group, the targets of a goal."""
        return [code, *self.parts.get(code, ())]

    def as_dict(self) -> dict[str, Any]:
        """Return the list as `/v1/codelists` serves it."""
        return {
            "name": self.name,
            "description": self.description,
            "source": self.source,
            "iati_codelist": self.iati,
            "codes": [
                {"code": code, "label": entry.label, "iati": entry.iati, "parent": entry.parent}
                for code, entry in self.codes.items()
            ],
        }

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        json_schema = handler(schema)
        json_schema["enum"] = list(self.codes)
        json_schema[MARK] = self.name
        return json_schema


def codes_of(table: str, parent: Callable[[str], str | None] | None = None, *, iati: bool = False) -> dict[str, Code]:
    """Return the codes of a file in `codes`. `parent` returns the wider code of a code. `iati`: IATI has them too."""
    with (FOLDER / f"{table}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, "excel-tab"))[1:]
    return {code: Code(en, vi, code if iati else None, parent(code) if parent else None) for code, en, vi in rows}
