"""Fields of a source's row with their types checked, and the name of a passage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]


def text(row: Mapping[str, Any], name: str) -> str:
    """A field that must be text. ValueError, or KeyError when it is missing."""
    value = row[name]
    if not isinstance(value, str):
        raise ValueError(f"field {name!r} must be text, found {type(value).__name__}")
    return value


def number(row: Mapping[str, Any], name: str) -> int:
    """A field that must be a whole number. ValueError, or KeyError when it is missing."""
    value = row[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"field {name!r} must be a whole number, found {type(value).__name__}")
    return value


def table(row: Mapping[str, Any], name: str) -> Row:
    """A field that must be an object. ValueError, or KeyError when it is missing."""
    value = row[name]
    if not isinstance(value, dict):
        raise ValueError(f"field {name!r} must be an object, found {type(value).__name__}")
    return value


def texts(row: Mapping[str, Any], name: str) -> list[str]:
    """A field that must be a list of texts. ValueError, or KeyError when it is missing."""
    value = row[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"field {name!r} must be a list of texts")
    return value


def tables(row: Mapping[str, Any], name: str) -> list[Row]:
    """A field that must be a list of objects; the hub may give it as an object of lists. ValueError, or KeyError."""
    value = row[name]
    if isinstance(value, dict) and all(isinstance(column, list) for column in value.values()):
        try:
            return [dict(zip(value, items, strict=True)) for items in zip(*value.values(), strict=True)]
        except ValueError:
            raise ValueError(f"the lists of field {name!r} must be of one length") from None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"field {name!r} must be a list of objects")
    return value


def passage_id(passage: str) -> str:
    """A short name for a passage or sentence, the same wherever the row came from."""
    return hashlib.sha256(passage.encode("utf-8", "surrogatepass")).hexdigest()[:16]
