"""The flags of a command, made of the fields of a request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from bench.fields import Request, written

MOST_UNBROKEN = 26
NO_BREAK, NO_BREAK_HYPHEN = "\u00a0", "\u2011"
Command = Callable[..., None]
Completion = Callable[..., Iterable[str]]  # of the context and what has been typed of a value


def flags_of(kind: type[Request], completions: Mapping[str, Completion]) -> Callable[[Command], Command]:
    """Decorator of a typer command: in the place of its first parameter come the fields of `kind`.

    The command gets a dict of those that were given; it may have parameters of its own after it. `completions` has, by
    name of a field, what a shell may complete its value to.
    """

    def take_flags(command: Command) -> Command:
        rest = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        parameters = [*(_parameter(name, field, completions) for name, field in kind.model_fields.items()), *rest]

        def run(**values: Any) -> None:
            given = {name: value for name in kind.model_fields if (value := values.pop(name)) not in (None, [])}
            command(given, **values)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return take_flags


def unbroken(text: str) -> str:
    """A text that help keeps in one line: with a space and a hyphen that are no place to break at. Not a long one."""
    return text if len(text) > MOST_UNBROKEN else text.replace(" ", NO_BREAK).replace("-", NO_BREAK_HYPHEN)


def _parameter(name: str, field: FieldInfo, completions: Mapping[str, Completion]) -> inspect.Parameter:
    """The parameter for a field: None where it was not given, so that a file, or the default, may say it."""
    marks = field.json_schema_extra
    assert isinstance(marks, dict)
    default = str(marks["shown"] or ("" if isinstance(field.default, tuple) else field.default) or "")
    help = f"{field.description} {unbroken(f'[default: {default}]')}" if default else field.description
    value = name.upper().removesuffix("S") if marks["argument"] else marks.get("value") or written(field).shown or None
    options: dict[str, Any] = {"help": help, "show_default": False, "metavar": value}
    if name in completions:
        options["autocompletion"] = completions[name]
    spellings = [f"--{name}", f"--{marks['also']}"] if marks.get("also") else []
    if marks.get("panel"):
        options["rich_help_panel"] = marks["panel"]
    info = typer.Argument(**options) if marks["argument"] else typer.Option(*spellings, **options)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[written(field).flag | None, info])
