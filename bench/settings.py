"""A grid as flags or as a TOML file: both say the same, and a flag overrides the file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown

LISTS = ("methods", "tasks", "models", "plugin")
KEYS = (
    *LISTS, "suite", "seeds", "set", "data", "out", "protocol", "device", "precision", "epochs", "steps", "batch_size",
    "max_length", "evaluations", "train_rows", "dev_rows", "backbone_dropout", "lanes", "token_budget", "save_tuned",
)  # fmt: skip


def read_grid_file(path: Path) -> dict[str, Any]:
    """The keys of a grid file, named as the flags are (`_` for `-`). UsageError for a bad file or an unknown key."""
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    keys = {key.replace("-", "_"): value for key, value in found.items()}
    for key in keys:
        if key not in KEYS:
            raise unknown(f"key in {path}", key, KEYS)
    return keys


def names(text: str | Iterable[str] | None) -> tuple[str, ...]:
    """A comma-separated flag, or a list from a file, as a tuple."""
    if text is None:
        return ()
    parts = text.split(",") if isinstance(text, str) else list(text)
    return tuple(part.strip() for part in parts if part.strip())


def seeds(text: str | int | Iterable[int] | None) -> tuple[int, ...]:
    """`5` means seeds 0 to 4; `11,44` means these two."""
    if text is None:
        return ()
    try:
        if isinstance(text, int) or (isinstance(text, str) and "," not in text):
            count = int(text)
            if count < 1:
                raise ValueError
            return tuple(range(count))
        return tuple(int(part) for part in (text.split(",") if isinstance(text, str) else text) if str(part).strip())
    except ValueError:
        raise UsageError(f"--seeds {text!r}: give a number of seeds (5) or the seeds themselves (11,44)") from None


def method_settings(flags: Iterable[str], file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`--set METHOD.NAME=VALUE` on top of the file's `[set.METHOD]` tables. UsageError when a flag has another form."""
    found: dict[str, dict[str, Any]] = {}
    for method, values in file.items():
        if not isinstance(values, dict):
            raise UsageError(f"set.{method} in a grid file must be a table of settings")
        found[method] = dict(values)
    for flag in flags:
        name, equals, value = flag.partition("=")
        method, dot, setting = name.strip().partition(".")
        if not (equals and dot and method and setting):
            raise UsageError(f"--set {flag!r}: the form is METHOD.SETTING=VALUE, like ptv2.length=40")
        found.setdefault(method, {})[setting] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    """Numbers, true, false and null as JSON has them; everything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
