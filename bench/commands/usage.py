"""The commands as typer has them, with our help and our words for what was typed wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from bench.commands.examples import COMMAND_LINE, EXAMPLES
from bench.commands.help import heading, spelling, write_examples, write_panels
from bench.commands.mistyped import check_values, unasked_word
from bench.errors import UsageError, unknown
from bench.flags import NO_BREAK, NO_BREAK_HYPHEN
from bench.spelling import check_place

PLACES = ("path", "file", "directory")  # as older versions of typer name the types of paths
Function = TypeVar("Function", bound=Callable[..., Any])
Context = Any  # typer's own class, which moves with its versions


class Command(TyperCommand):
    """A command whose flags stand under the headings that their fields name, with examples at the end."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        settings["epilog"] = settings.get("epilog") or EXAMPLES.get(name or "")
        super().__init__(name, **settings)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        if not ctx.resilient_parsing:
            check_values(ctx, args)
        try:
            rest = super().parse_args(ctx, args)
        except Exception as error:
            if getattr(error, "ctx", ctx) is None:  # the parser does not always say whose flag it is
                error.ctx = ctx  # type: ignore[attr-defined]
            raise
        for parameter in self.get_params(ctx):
            value = ctx.params.get(str(parameter.name))
            is_text = getattr(getattr(parameter, "type", None), "name", "") in PLACES  # of a path, before typer 0.29
            for place in value if isinstance(value, list | tuple) else [value]:
                if isinstance(place, Path) or (is_text and place is not None):
                    check_place(place)
        if ctx.args and not ctx.resilient_parsing:
            raise UsageError(f"{unasked_word(ctx, ctx.args[0])}; see {ctx.command_path} --help")
        return rest

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        arguments = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "argument"]
        named = [(parameter, spelling(parameter)) for parameter in arguments]
        return ["[OPTIONS]", *(name if parameter.required else f"[{name}]" for parameter, name in named)]

    def get_help(self, ctx: Context) -> str:
        return super().get_help(ctx).replace(NO_BREAK, " ").replace(NO_BREAK_HYPHEN, "-")

    def format_options(self, ctx: Context, formatter: Any) -> None:
        write_panels(self.get_params(ctx), formatter)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:
        write_examples(self.epilog, formatter)


class Commands(TyperGroup):
    """All commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "epilog": COMMAND_LINE})

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        name = args[0]
        if name not in self.commands and not ctx.resilient_parsing and not name.startswith("-"):
            raise unknown("command", name, self.commands)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Context, formatter: Any) -> None:
        with formatter.section(heading("Commands")):
            formatter.write_dl([(name, command.help or "") for name, command in self.commands.items()])
        write_panels(self.get_params(ctx), formatter)

    def format_epilog(self, ctx: Context, formatter: Any) -> None:
        write_examples(self.epilog, formatter)


class CommandLine(typer.Typer):
    """An application of such commands."""

    def command(self, *args: Any, **settings: Any) -> Callable[[Function], Function]:
        return super().command(*args, **{"cls": Command, **settings})
