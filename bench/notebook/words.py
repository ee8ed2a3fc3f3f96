"""How a call in Python is said: errors name its arguments, not flags; records have the command that does the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.fields import Request

# a whole command that an error advises, or that stands in backquotes, stays as it is
_FLAG = re.compile(r"`[^`]*`|bench [a-z]+(?: --?[\w-]+(?:[ =][^\s,;:]+)?)+|--(no-)?([a-z][a-z-]*)")


@contextmanager
def in_python() -> Iterator[None]:
    """Within the block a UsageError names arguments: "--max-length" is "max_length", and "--no-probe" "probe=False"."""
    try:
        yield
    except UsageError as error:
        raise type(error)(_FLAG.sub(_argument, str(error))) from None


def _argument(found: re.Match[str]) -> str:
    if found[2] is None:
        return found[0]
    return found[2].replace("-", "_") + ("=False" if found[1] else "")


def command_of(request: Request, name: str) -> tuple[str, ...]:
    """The words of the command `bench NAME` that asks for the same, for what differs from the defaults."""
    words = ["bench", name]
    for field in type(request).model_fields:
        value = getattr(request, field)
        if field in request.model_fields_set and value != type(request).model_fields[field].default:
            words += _words(field.replace("_", "-"), value)
    return tuple(words)


def _words(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, Mapping):
        return [word for text in _pairs(value) for word in (f"--{flag}", text)]
    if isinstance(value, tuple) and any(isinstance(part, Path) for part in value):
        return [word for part in value for word in (f"--{flag}", str(part))]
    if flag == "seeds" and value == tuple(range(len(value))):
        return [f"--{flag}", str(len(value))]
    return [f"--{flag}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]


def _pairs(tables: Mapping[str, Any]) -> list[str]:
    """`ptv2.length=40` of a table of tables, `partition=gpu` of a plain one."""
    pairs = []
    for name, table in tables.items():
        if isinstance(table, Mapping):
            pairs += [f"{name}.{setting}={_text(value)}" for setting, value in table.items()]
        else:
            pairs.append(f"{name}={table}")
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)
