"""Half a surrogate pair (`\\ud83d` alone in JSON) is no character: no tokenizer, file or terminal takes it."""

from __future__ import annotations

import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
REPAIR = "half a character (a lone surrogate), made U+FFFD"
DEEPEST = 100  # levels of lists and objects in each other; no format of ours has ten


def whole_characters(value: Any) -> tuple[Any, int]:
    """The value with every half character in its texts and names replaced, and how many were.

    One character takes the place of one, so that places in a text stay true. ValueError for a value nested too deeply.
    """
    return _replaced(value) if _has_half(value, 0) else (value, 0)


def _has_half(value: Any, depth: int) -> bool:
    """A look alone: next to no row has any, and there may be a million words."""
    if isinstance(value, str):
        return not value.isascii() and _HALF.search(value) is not None
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, list):
        if set(map(type, value)) == {str}:
            return _has_half("".join(value), depth)  # halves that meet here stay halves
        return any(_has_half(element, depth + 1) for element in value)
    if isinstance(value, dict):
        return _has_half("".join(map(str, value)), depth) or any(_has_half(part, depth + 1) for part in value.values())
    return False


def _replaced(value: Any) -> tuple[Any, int]:
    if isinstance(value, str):
        return _HALF.subn(REPLACEMENT, value)
    if isinstance(value, list):
        replaced = [_replaced(element) for element in value]
        return [element for element, _ in replaced], sum(count for _, count in replaced)
    if isinstance(value, dict):
        pairs = [(_replaced(name), _replaced(part)) for name, part in value.items()]
        return {name: part for (name, _), (part, _) in pairs}, sum(first + second for (_, first), (_, second) in pairs)
    return value, 0
