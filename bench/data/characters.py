"""Half a surrogate pair (`\\ud83d` alone in JSON) is no character: no tokenizer, file or terminal takes it."""

from __future__ import annotations

import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
REPAIR = "half a character (a lone surrogate), made U+FFFD"
DEEPEST = 100  # levels of lists and objects in each other; no format of ours has ten


def whole_characters(value: Any, depth: int = 0) -> tuple[Any, int]:
    """The value with every half character in its texts and names replaced, and how many were.

    One character takes the place of one, so that places in a text stay true. ValueError for a value nested too deeply.
    """
    if isinstance(value, str):
        return (value, 0) if value.isascii() else _HALF.subn(REPLACEMENT, value)
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, list):
        made = [whole_characters(each, depth + 1) for each in value]
        return ([each for each, _ in made], count) if (count := sum(n for _, n in made)) else (value, 0)
    if isinstance(value, dict):
        pairs = [(whole_characters(name, depth + 1), whole_characters(each, depth + 1)) for name, each in value.items()]
        count = sum(first[1] + second[1] for first, second in pairs)
        return ({first[0]: second[0] for first, second in pairs}, count) if count else (value, 0)
    return value, 0
