"""A grid as flags or as a TOML file: both say the same, and a flag overrides the file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown

LISTS = ("methods", "tasks", "models", "plugin", "vary")
TEXTS = ("suite", "data", "out", "protocol", "device", "precision")
NUMBERS = (
    "epochs", "steps", "batch_size", "max_length", "evaluations", "train_rows", "scored_rows", "limit", "lanes",
    "token_budget", "trials",
)  # fmt: skip
PATHS = ("data", "out", "plugin", "models")  # keys in which a ~ at the beginning is the home folder
SWITCHES = ("backbone_dropout", "save_tuned", "checkpointing")
FORMS: dict[str, tuple[str, tuple[type, ...]]] = {
    **dict.fromkeys(LISTS, ("a list of names", (list, str))),
    **dict.fromkeys(TEXTS, ("text", (str,))),
    **dict.fromkeys(NUMBERS, ("a whole number", (int,))),
    **dict.fromkeys(SWITCHES, ("true or false", (bool,))),
    "seeds": ("a number of seeds, or a list of seeds", (int, list, str)),
    "set": ("a table of tables, like [set.METHOD]", (dict,)),
    "sweep": ("a table of tables, like [sweep.METHOD]", (dict,)),
}


def read_grid_file(path: Path) -> dict[str, Any]:
    """The keys of a grid file, named as the flags are (`_` for `-`). UsageError for a bad file, key or value."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    keys = {key.replace("-", "_"): value for key, value in found.items()}
    for key, value in keys.items():
        if key not in FORMS:
            raise unknown(f"key in {path}", key, FORMS)
        form, kinds = FORMS[key]
        entries = value if key in LISTS and isinstance(value, list) else []
        is_switch = isinstance(value, bool) and key not in SWITCHES  # to Python a bool is a whole number
        if not isinstance(value, kinds) or is_switch or not all(isinstance(entry, str) for entry in entries):
            raise UsageError(f"{path}: {key} = {json.dumps(value, default=str)} is not possible: it must be {form}")
    if "plugin" in keys:
        keys["plugin"] = names(keys["plugin"])
    return with_home(keys)


def with_home(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys, with `~` at the beginning of each path made the home folder, as a shell does; also within lists."""
    return {key: _expanded(value) if key in PATHS else value for key, value in keys.items()}


def _expanded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_expanded, value))
    if not isinstance(value, str | Path) or "~" not in str(value):
        return value
    try:
        if isinstance(value, Path):
            return value.expanduser()
        parts = (part.strip() for part in value.split(","))
        return ",".join(str(Path(part).expanduser()) if part.startswith("~") else part for part in parts)
    except RuntimeError as error:
        raise UsageError(f"{str(value)!r}: {str(error).lower().rstrip('.')}; give the whole path") from None


def names(text: str | Iterable[str] | None) -> tuple[str, ...]:
    """A comma-separated flag, or a list from a file, as a tuple without repetitions."""
    if text is None:
        return ()
    parts = text.split(",") if isinstance(text, str) else list(text)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


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
        found = tuple(int(part) for part in (text.split(",") if isinstance(text, str) else text) if str(part).strip())
        if not found:
            raise ValueError
        return found
    except (TypeError, ValueError):
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


def swept_settings(flags: Iterable[str], file: dict[str, Any]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """`--sweep METHOD.NAME=VALUE,VALUE,…` on top of the file's `[sweep.METHOD]` tables, which hold lists.

    In a method's place `budget` stands for what all methods get alike (bench.budgets).

    A value is read as `--set` reads it. A comma always divides values: one that has a comma itself needs the file.
    UsageError for another form, and for no values.
    """
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for method, lists in file.items():
        if not isinstance(lists, dict):
            raise UsageError(f"sweep.{method} in a grid file must be a table of lists of values")
        for setting, values in lists.items():
            if not isinstance(values, list) or not values:
                raise UsageError(f"sweep.{method}.{setting} in a grid file must be a list of values, like [8, 32]")
        found[method] = {setting: tuple(values) for setting, values in lists.items()}
    for flag in flags:
        name, _, listed = flag.partition("=")
        method, _, setting = name.strip().partition(".")
        values = [value.strip() for value in listed.split(",")]
        if not (method and setting and all(values)):
            raise UsageError(f"--sweep {flag!r}: the form is METHOD.SETTING=VALUE,VALUE,…, like ptv2.length=8,32")
        found.setdefault(method, {})[setting] = tuple(map(_value, values))
    return found


def _value(text: str) -> Any:
    """Numbers, true, false and null as JSON has them; everything else is text."""
    try:
        return json.loads(text)
    except ValueError:  # NaN and Infinity stay, and are refused where a number is checked
        return text
