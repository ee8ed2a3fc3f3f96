"""How values are written: the types of a request's fields, which read alike what flags, grid files and Python give."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator

from bench.errors import UsageError, shortened, unknown

GPU = r"(cuda:)?(0|[1-9]\d?)"
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, as file systems have them
MOST_SEEDS = 1_000
DEVICES = re.compile(rf"auto|all|cpu(:[1-9]\d{{0,3}})?|cuda|{GPU}(,{GPU})*")


@dataclass(frozen=True)
class Written:
    """How a value is written: the type that its flag has on the command line, in words what it must be, and what
    stands for it in a command's help.
    """

    flag: Any
    must_be: str
    shown: str


def names(value: Any) -> Any:
    """Names separated by commas, or a list of them, as a tuple without empty ones and repetitions."""
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        return value
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def places(value: Any) -> Any:
    """Names of which some are folders: as `names`, or a path; a `~` at the beginning being the home folder."""
    value = [value] if isinstance(value, Path) else value
    listed = [str(part) for part in value] if _is_list_of(value, (str, Path)) else value
    parts = names(listed)
    return tuple(str(at_home(part)) for part in parts) if _is_list_of(parts, str) else parts


def paths(value: Any) -> Any:
    """Files separated by commas, a list of them, or one path, as a tuple of paths; `~` is the home folder."""
    parts = names(value) if isinstance(value, str) else [value] if isinstance(value, Path) else value
    return tuple(Path(at_home(part)) for part in parts) if _is_list_of(parts, (str, Path)) else parts


def path(value: Any) -> Any:
    """A path, `~` being the home folder; empty text is none. UsageError for what no file can be called."""
    return (Path(at_home(value)) if str(value) else None) if isinstance(value, str | Path) else value


def check_place(value: str | Path) -> None:
    """UsageError for a path that no file can have, or that no record could name: too long, or not in UTF-8."""
    text = str(value)
    try:
        size = max(len(part.encode()) for part in text.split("/"))
    except UnicodeEncodeError:
        raise UsageError(f"{shortened(text)!r}: the path is not in UTF-8; give it another name") from None
    if "\0" in text:
        raise UsageError(f"{shortened(text)!r}: a path has no NUL character")
    if size > LONGEST_NAME or len(text.encode()) > LONGEST_PATH:
        what = f"{size:,} bytes in one name" if size > LONGEST_NAME else f"{len(text.encode()):,} bytes"
        raise UsageError(
            f"{shortened(text)!r}: the path has {what}, where {LONGEST_NAME} and in all {LONGEST_PATH:,} are possible"
        )


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(part, kind) for part in value)


def at_home(value: str | Path) -> str | Path:
    """A place as it is, but for `~` in front, which is a home folder. UsageError as `check_place`, and for nobody's."""
    check_place(value)
    if not str(value).startswith("~"):
        return value
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{str(value)!r}: {str(error).lower().rstrip('.')}; give the whole path") from None


def seeds(value: Any) -> Any:
    """`5` means seeds 0 to 4; `11,44` means these two."""
    if value is None or value == ():
        return ()
    try:
        if isinstance(value, int) or (isinstance(value, str) and "," not in value):
            count = int(str(value))
            if not 1 <= count <= MOST_SEEDS:
                raise ValueError
            return tuple(range(count))
        parts = [str(part) for part in (value.split(",") if isinstance(value, str) else value)]
        numbers = tuple(int(part) for part in parts if part.strip())
        if not numbers:
            raise ValueError
        return numbers
    except (TypeError, ValueError):
        raise ValueError(
            f"give a number of seeds (5, at most {MOST_SEEDS:,}) or the seeds themselves (11,44)"
        ) from None


def settings(value: Any) -> Any:
    """`METHOD.SETTING=VALUE` texts, or a table for each method, as tables. UsageError for another form."""
    if _is_list_of(value, str):
        tables: dict[str, dict[str, Any]] = {}
        for text in value:
            name, equals, written = text.partition("=")
            method, dot, setting = name.strip().partition(".")
            if not (equals and dot and method and setting):
                raise UsageError(f"--set {text!r}: the form is METHOD.SETTING=VALUE, like ptv2.length=40")
            tables.setdefault(method, {})[setting] = _scalar(written.strip())
        return tables
    if not isinstance(value, Mapping):
        return value
    for method, table in value.items():
        if not isinstance(table, Mapping):
            raise UsageError(f"set.{method} must be a table of settings")
    return {method: dict(table) for method, table in value.items()}


def sweep(value: Any) -> Any:
    """`METHOD.SETTING=VALUE,VALUE,…` texts, or tables of lists of values, as tables of tuples.

    A value of a text is read as `settings` does. A comma always divides values: one that has a comma itself needs a
    table. UsageError for another form, and for no values.
    """
    if _is_list_of(value, str):
        tables: dict[str, dict[str, tuple[Any, ...]]] = {}
        for text in value:
            name, _, listed = text.partition("=")
            method, _, setting = name.strip().partition(".")
            parts = [part.strip() for part in listed.split(",")]
            if not (method and setting and all(parts)):
                raise UsageError(f"--sweep {text!r}: the form is METHOD.SETTING=VALUE,VALUE,…, like ptv2.length=8,32")
            tables.setdefault(method, {})[setting] = tuple(map(_scalar, parts))
        return tables
    if not isinstance(value, Mapping):
        return value
    for method, table in value.items():
        if not isinstance(table, Mapping):
            raise UsageError(f"sweep.{method} must be a table of lists of values")
        for setting, values in table.items():
            if not isinstance(values, list | tuple) or not values:
                raise UsageError(f"sweep.{method}.{setting} must be a list of values, like [8, 32]")
    return {method: {name: tuple(values) for name, values in table.items()} for method, table in value.items()}


def table(value: Any) -> Any:
    """`KEY=VALUE` texts, or a table whose tables have dots for their names, as a table of texts. UsageError for another
    form.
    """
    if _is_list_of(value, str):
        pairs = {}
        for text in value:
            key, equals, written = (part.strip() for part in text.partition("="))
            if not (key and equals and written):
                raise UsageError(f"--slurm {text!r}: the form is KEY=VALUE, like partition=gpu")
            pairs[key] = written
        return pairs
    if not isinstance(value, Mapping):
        return value
    flat = {}
    for key, part in value.items():
        inner = table(part) if isinstance(part, Mapping) else {"": part}
        for name, written in inner.items():
            if not isinstance(written, str | int | float):
                raise UsageError(f"slurm.{key} must be text or a number; put it in quotes")
            flat[f"{key}.{name}" if name else key] = written if isinstance(written, str) else json.dumps(written)
    return flat


def _scalar(text: str) -> Any:
    """Numbers, true, false and null as JSON has them; everything else is text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # NaN and Infinity stay, and are refused where a number is checked
        return text


def one_of(noun: str, literal: Any) -> BeforeValidator:
    """A check that a text, or each of some names, is among those of a `Literal`; the error has the nearest one."""
    known = get_args(literal)

    def check(value: Any) -> Any:
        for name in [value] if isinstance(value, str) else value if _is_list_of(value, str) else ():
            if name not in known:
                raise unknown(noun, name, known)
        return value

    return BeforeValidator(check)


def devices(text: str) -> str:
    """Devices by their names alone; whether they are there is for torch to say."""
    if not DEVICES.fullmatch(text):
        raise ValueError("use all, cpu or cuda, some GPUs like 0,2, or processes on the CPU like cpu:4")
    return text


NAMES = Written(str, "a list of names", "NAME,…")
SEEDS = Written(str, "a number of seeds, or a list of seeds", "N|SEED,…")
SETTINGS = Written(list[str], "a table of tables, like [set.METHOD]", "METHOD.SETTING=VALUE")
SWEEP = Written(list[str], "a table of tables, like [sweep.METHOD]", "METHOD.SETTING=VALUE,…")
Names = Annotated[tuple[str, ...], BeforeValidator(names), NAMES]
Places = Annotated[tuple[str, ...], BeforeValidator(places), NAMES]
Paths = Annotated[tuple[Path, ...], BeforeValidator(paths), Written(list[Path], "a list of names", "PATH")]
Place = Annotated[Path | None, BeforeValidator(path), Written(Path, "text", "PATH")]
Seeds = Annotated[tuple[int, ...], BeforeValidator(seeds), SEEDS]
Settings = Annotated[dict[str, dict[str, Any]], BeforeValidator(settings), SETTINGS]
Sweep = Annotated[dict[str, dict[str, tuple[Any, ...]]], BeforeValidator(sweep), SWEEP]
Table = Annotated[
    dict[str, str], BeforeValidator(table), Written(list[str], "a table of texts and numbers", "KEY=VALUE")
]
Devices = Annotated[str, AfterValidator(devices)]
