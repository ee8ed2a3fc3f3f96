"""Values as files have them: CSV knows texts alone, JSON has several numbers and truths, tables have NaN for nothing.

What stands for one value only is read as that value; everything else is nothing, for the reader to refuse.
"""

from __future__ import annotations

import math
import re
from typing import Any

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def whole_number(value: Any) -> int | None:
    """A whole number given as one, as a float (`3.0`) or as text (`"3"`); of a truth or anything else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    return None


def finite_number(value: Any) -> float | None:
    """A finite number given as one or as text (`"2.5"`, `"3e-1"`); of a truth, NaN or anything else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond any float
        return None
    return number if math.isfinite(number) else None


def truth(value: Any) -> bool | None:
    """A truth given as one, as 0 or 1, or as text ("False", "1"); of anything else, `None` and "" included, None."""
    return value if isinstance(value, bool) else _TRUTH.get(label_text(value).casefold())


def label_text(value: Any) -> str:
    """A label as text: truths as true and false, whole numbers without a point, texts without blanks around them."""
    if isinstance(value, bool):
        return str(value).casefold()
    number = whole_number(value) if isinstance(value, int | float) else None
    return str(value if number is None else number).strip()


def name_of(value: Any) -> str | None:
    """An id or the name of a group as text; None for nothing: `None`, a blank text, NaN."""
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return None
    number = whole_number(value) if isinstance(value, float) else None
    return str(value if number is None else number)


def is_nothing(value: Any) -> bool:
    """Whether it says nothing: `None`, a blank text, NaN."""
    return (
        value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and value != value)
    )
