"""The changes of a record by the cells of a row. A blank cell changes nothing, also in a list: the items that the row
does not state stay. A cell with the text CLEARED removes its value. In a list it states that the row has all items,
so all others are removed. A second import of the same row never changes anything.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from app.core.values.dates import ends as date_ends
from app.core.values.links import models_in
from app.exchange.formats.cell_values import CLEARED

_CLEARED_JSON = json.dumps(CLEARED)
# Begins the column in `moved` of a list or of an item of a list that one cell contains, and of a period that was joined
# of two ends.
_FROM_ONE_CELL = "@"
_OPEN = ".."
_OPEN_ENDS = (_OPEN, _OPEN)


def load_row(text: str) -> dict[str, Any]:
    """Return the record of a row. Values that a cell clears are null."""
    record: dict[str, Any] = json.loads(text)
    if _CLEARED_JSON in text:
        record = {name: _with_nulls(value) for name, value in record.items()}
    return record


def _with_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_nulls(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    return None if value == CLEARED else value


def merged_row(
    model: type[BaseModel], before: dict[str, Any], row: Mapping[str, Any], moved: Mapping[str, str]
) -> dict[str, Any]:
    """Return a record as a row changes it. `model` has its fields; `moved` is that of the line."""
    merged: dict[str, Any] = _merged(model, before, row, "", moved)
    return merged


def _merged(model: type[BaseModel] | None, before: Any, patch: Any, pointer: str, moved: Mapping[str, str]) -> Any:
    if isinstance(patch, list | dict) and moved.get(pointer, "").startswith(_FROM_ONE_CELL):
        return patch  # the list in one cell
    if isinstance(patch, list):
        return _merged_list(model, before if isinstance(before, list) else [], patch, pointer, moved)
    if isinstance(patch, str) and moved.get(pointer, "").startswith(_FROM_ONE_CELL):
        return _with_other_end(patch, before)
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(before) if isinstance(before, dict) else {}
    if "edtf" in patch:  # the days that the old date can mean
        merged = {name: value for name, value in merged.items() if name not in ("earliest", "latest")}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            inner = _model_of(model, name) if model else None
            merged[name] = _merged(inner, merged.get(name), value, f"{pointer}/{name}", moved)
    return merged


def _with_other_end(period: str, before: Any) -> str:
    """Return a period of which a row states one end in a column of its own, with the other end of the record."""
    text = before.get("edtf") if isinstance(before, dict) else None
    stated = period.split("/")
    if not isinstance(text, str) or len(stated) != len(_OPEN_ENDS) or _OPEN not in stated:
        return period
    ends = [own if own != _OPEN else present or _OPEN for own, present in zip(stated, date_ends(text), strict=True)]
    return ends[0] if ends[0] == ends[1] else "/".join(ends)


def _merged_list(
    model: type[BaseModel] | None, before: list[Any], patch: list[Any], pointer: str, moved: Mapping[str, str]
) -> list[Any]:
    """Return a list with the items of a row.

    The row has the whole list if one cell contains it, if a cell clears an item, or if the row has an item at every
    position of the list. Otherwise its items are changed or added, and the others stay.
    """
    columns = [moved.get(f"{pointer}/{position}", str(position)) for position in range(len(patch))]
    is_one_cell = any(column.startswith(_FROM_ONE_CELL) for column in columns)
    numbers = range(len(patch)) if is_one_cell else [int(column.rpartition(".")[2]) for column in columns]
    items = dict(zip(numbers, patch, strict=True))
    stated = {number: item for number, item in items.items() if not _is_removed(model, item)}
    places = dict(zip(numbers, (f"{pointer}/{position}" for position in range(len(patch))), strict=True))
    bases = _bases(before, stated)
    merged = {
        number: _merged(model, before[bases[number]] if number in bases else None, item, places[number], moved)
        for number, item in stated.items()
    }
    is_whole = is_one_cell or len(stated) < len(items) or list(numbers) == list(range(max(len(before), len(items))))
    if is_whole:
        return list(merged.values())
    result = list(before)
    for number, item in merged.items():
        if number in bases:
            result[bases[number]] = item
        else:
            result.append(item)
    return result


def _bases(before: list[Any], items: Mapping[int, Any]) -> dict[int, int]:
    """Return the position of the present item that each item changes, preferably one that has its values already.

    So a row finds its items again wherever they are, and changes nothing when it is imported again.
    """
    bases: dict[int, int] = {}
    for number, item in items.items():
        if number < len(before) and _contains(before[number], item):
            bases[number] = number
    free = dict.fromkeys(position for position in range(len(before)) if position not in bases)
    for number, item in items.items():
        if number not in bases:
            equal = next((position for position in free if _contains(before[position], item)), None)
            if equal is not None:
                bases[number] = equal
                del free[equal]
    for number in items:
        if number not in bases and number in free:
            bases[number] = number
    return bases


def _contains(present: Any, item: Any) -> bool:
    """Return whether a present value has all values of a row, and none that the row clears."""
    if isinstance(item, dict) and isinstance(present, dict):
        return all(_contains(present.get(name), value) for name, value in item.items())
    if isinstance(item, str) and isinstance(present, dict):  # a date
        return bool(present.get("edtf") == item)
    return bool(present == item)


def _is_removed(model: type[BaseModel] | None, item: Any) -> bool:
    """Return whether a row removes an item of a list: it clears a member without which there is no such item."""
    if not isinstance(item, dict) or model is None:
        return item is None
    required = [field.alias or name for name, field in model.model_fields.items() if field.is_required()]
    cleared = [name for name, value in item.items() if value is None]
    return any(name in cleared for name in required) or (not required and len(cleared) == len(item))


@cache
def _model_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the model of a member, or of the items of a member."""
    for field_name, field in model.model_fields.items():
        if name == (field.alias or field_name):
            return next(models_in(field.annotation), None)
    return None
