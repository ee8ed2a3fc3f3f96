"""Fields of a row with their types checked, and the name of a passage.

Numbers, lists and objects may also be given as text, as CSV has them: lists and objects then as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.data import values

Row = dict[str, Any]


def text(row: Mapping[str, Any], name: str) -> str:
    """A field that must be text. ValueError, or KeyError when it is missing."""
    value = row[name]
    if not isinstance(value, str):
        raise ValueError(f"field {name!r} must be text, found {type(value).__name__}")
    return value


def number(row: Mapping[str, Any], name: str) -> int:
    """A field that must be a whole number. ValueError, or KeyError when it is missing."""
    parsed = values.whole_number(row[name])
    if parsed is None:
        raise ValueError(f"field {name!r} must be a whole number, found {_shown(row[name])}")
    return parsed


def truth(row: Mapping[str, Any], name: str) -> bool | None:
    """A field that is a truth, None where it is missing or says nothing. ValueError when it is anything else."""
    value = row.get(name)
    if values.name_of(value) is None:
        return None
    parsed = values.truth(value)
    if parsed is None:
        raise ValueError(f"field {name!r} must be true or false, found {_shown(value)}")
    return parsed


def name_of(row: Mapping[str, Any], name: str) -> str:
    """A field that names its row, as text or number. ValueError when it says nothing, KeyError when it is missing."""
    value = row[name]
    parsed = values.name_of(value)
    if parsed is None or not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"field {name!r} must be a text or a number, found {_shown(value)}")
    return parsed


def _shown(value: Any) -> str:
    """A short value as it is, else its type."""
    return (
        repr(value) if isinstance(value, str | int | float | bool) and len(repr(value)) < 40 else type(value).__name__
    )


def table(row: Mapping[str, Any], name: str) -> Row:
    """A field that must be an object. ValueError, or KeyError when it is missing."""
    value = _from_json(row[name])
    if not isinstance(value, dict):
        raise ValueError(f"field {name!r} must be an object, found {type(value).__name__}")
    return value


def texts(row: Mapping[str, Any], name: str) -> list[str]:
    """A field that must be a list of texts. ValueError, or KeyError when it is missing."""
    value = _from_json(row[name])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"field {name!r} must be a list of texts")
    return value


def tables(row: Mapping[str, Any], name: str) -> list[Row]:
    """A field that must be a list of objects; the hub may give it as an object of lists. ValueError, or KeyError."""
    value = _from_json(row[name])
    if isinstance(value, dict) and all(isinstance(column, list) for column in value.values()):
        try:
            return [dict(zip(value, items, strict=True)) for items in zip(*value.values(), strict=True)]
        except ValueError:
            raise ValueError(f"the lists of field {name!r} must be of one length") from None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"field {name!r} must be a list of objects")
    return value


def _from_json(value: Any) -> Any:
    """What a text that is a JSON list or object stands for; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def passage_id(passage: str) -> str:
    """A short name for a passage or sentence, the same wherever the row came from."""
    return hashlib.sha256(passage.encode("utf-8", "surrogatepass")).hexdigest()[:16]
