"""The flags of a command, made of the fields of a request."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from bench.fields import Request, written

Command = Callable[..., None]


def flags_of(kind: type[Request]) -> Callable[[Command], Command]:
    """Decorator of a typer command: in the place of its first parameter come the fields of `kind`.

    The command gets a dict of those that were given; it may have parameters of its own after it.
    """

    def take_flags(command: Command) -> Command:
        rest = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        parameters = [*(_parameter(name, field) for name, field in kind.model_fields.items()), *rest]

        def run(**values: Any) -> None:
            given = {name: value for name in kind.model_fields if (value := values.pop(name)) not in (None, [])}
            command(given, **values)

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return take_flags


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """The parameter for a field: None where it was not given, so that a file, or the default, may say it."""
    marks = field.json_schema_extra
    assert isinstance(marks, dict)
    default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    options: dict[str, Any] = {"help": field.description, "show_default": str(marks["shown"] or default or "") or False}
    spellings = [f"--{name}", f"--{marks['also']}"] if marks.get("also") else []
    if marks.get("panel"):
        options["rich_help_panel"] = marks["panel"]
    info = typer.Argument(**options) if marks["argument"] else typer.Option(*spellings, **options)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[written(field).flag | None, info])
