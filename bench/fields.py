"""A request: one frozen class of which the flags of a command, the keys of a TOML file and Python's arguments are made.

A wrong value is answered in one line that names it as it was given: the flag, the file and its key, or the argument.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from bench.bounds import MOST, MOST_SEED, in_range
from bench.cell import Frozen
from bench.errors import UsageError, shortened, unknown
from bench.spelling import Written

PLAIN = {
    int: Written(int, "a whole number", "N"),
    float: Written(float, "a number", "X"),
    bool: Written(bool, "true or false", ""),
    str: Written(str, "text", ""),  # the flag's own name says more
}


def flag(
    default: Any,
    help: str,
    *,
    shown: str = "",
    also: str = "",
    ge: int | None = None,
    panel: str | None = None,
    value: str = "",
) -> Any:
    """A field of a request: its default (`shown` as another text where that says more), its help, its least value,
    another spelling of its flag, the heading that it stands under in the help of its command, and what stands for its
    value there, where its type does not say it.
    """
    marks: dict[str, Any] = {"shown": shown, "argument": False, "also": also, "panel": panel, "value": value}
    return Field(default, description=help, ge=ge, json_schema_extra=marks)


def argument(default: Any, help: str) -> Any:
    """A field that is no flag on the command line, but what stands after them."""
    return Field(default, description=help, json_schema_extra={"shown": "", "argument": True})


def written(field: FieldInfo) -> Written:
    """How a field is written, which follows from its type."""
    marks = [mark for mark in field.metadata if isinstance(mark, Written)]
    if marks:
        return marks[0]
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not NoneType]
    if get_origin(field.annotation) is Literal:
        return Written(str, "text", "|".join(kinds))
    return PLAIN[kinds[0] if kinds[0] in PLAIN else str]


@dataclass(frozen=True)
class Origin:
    """Where values come from: what a name in it is called, and how a name and its value are shown there."""

    noun: str
    shown: Callable[[str, Any], str]
    place: str = ""  # what goes before a line that names the value itself


def _as_flag(name: str, value: Any) -> str:
    return f"--{name.replace('_', '-')} {str(value) if isinstance(value, Path) else repr(value)}"


FLAGS = Origin("flag", _as_flag)
PYTHON = Origin("argument", lambda name, value: f"{name}={value!r}")


def grid_file(path: Path) -> Origin:
    """The origin of what a file says."""
    return Origin(
        f"key in {path}", lambda name, value: f"{path}: {name} = {json.dumps(value, default=str)}", f"{path}: "
    )


class Request(Frozen):
    """Frozen, and strict about types: text is no number, and true is none."""

    model_config = ConfigDict(strict=True)

    @classmethod
    def read(cls, flags: Mapping[str, Any], file: Path | None = None) -> Self:
        """The request of a command line; a flag goes before what the file says. UsageError for a wrong one."""
        return cls._with_file(flags, FLAGS, file)

    @classmethod
    def called(cls, arguments: Mapping[str, Any], file: Path | None = None) -> Self:
        """The same of a call in Python: a wrong argument is named as it was written there."""
        return cls._with_file(arguments, PYTHON, file)

    @classmethod
    def _with_file(cls, given: Mapping[str, Any], origin: Origin, file: Path | None) -> Self:
        asked = cls._of(given, origin)
        return asked._over(cls._of(_keys(file), grid_file(file))) if file else asked

    @classmethod
    def _of(cls, given: Mapping[str, Any], origin: Origin) -> Self:
        try:
            return cls.model_validate(dict(given), context=origin)
        except ValidationError as error:
            raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None

    def _over(self, base: Self) -> Self:
        """This request, with what it leaves open taken from `base`; of tables each value that it leaves open."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        for name, value in given.items():
            if isinstance(value, dict):
                tables = getattr(base, name)
                given[name] = tables | {key: _laid_over(tables.get(key), table) for key, table in value.items()}
        return base.model_copy(update=given)

    @field_validator("*")
    @classmethod
    def _in_range(cls, value: Any, field: ValidationInfo) -> Any:
        """Numbers of tables are settings, which their methods check."""
        return value if isinstance(value, dict) else in_range(value, MOST_SEED if field.field_name == "seeds" else MOST)

    @model_validator(mode="wrap")
    @classmethod
    def _in_our_words(cls, given: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        try:
            return handler(given)
        except ValidationError as error:
            raise UsageError(cls._refusal(given, error, info.context or PYTHON)) from None

    @classmethod
    def _refusal(cls, given: Mapping[str, Any], error: ValidationError, origin: Origin) -> str:
        """What is wrong with the first value that is, in one line."""
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0])
        if name not in cls.model_fields:
            return str(unknown(origin.noun, name, cls.model_fields))
        context = problem.get("ctx", {})
        if isinstance(context.get("error"), UsageError):
            return f"{origin.place}{context['error']}"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"].endswith(("_type", "literal_error", "is_instance_of")):
            message = f"it must be {written(cls.model_fields[name]).must_be}"
        elif problem["type"] == "greater_than_equal":
            message = f"it must be at least {context['ge']}"
        try:
            shown = shortened(origin.shown(name, given[name]))
        except ValueError:  # a whole number of thousands of digits cannot be written
            shown = name
        return f"{shown} is not possible: {message}"


def _laid_over(base: Any, value: Any) -> Any:
    return {**(base or {}), **value} if isinstance(value, dict) else value


def _keys(path: Path) -> dict[str, Any]:
    """The keys of a grid file, named as the fields are (`_` for `-`). UsageError for a file that is no TOML."""
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except RecursionError:
        raise UsageError(f"{path} is not valid TOML: its lists or tables are nested too deeply") from None
    except ValueError as error:  # also for bytes that are no text, and for numbers of thousands of digits
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    named = {key.replace("-", "_"): value for key, value in keys.items()}
    if len(named) < len(keys):
        twice = next(key for key in keys if "-" in key and key.replace("-", "_") in keys)
        raise UsageError(f"{path} has both {twice} and {twice.replace('-', '_')}, which are one; leave one of them out")
    return named
