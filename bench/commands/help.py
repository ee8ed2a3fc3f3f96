"""What help shows of a command's flags: under their headings, with words for their values."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import typer

Parameter = Any  # typer's own class, which moves with its versions


def write_panels(parameters: Iterable[Parameter], formatter: Any) -> None:
    """What each parameter is, under its heading; what has none comes last."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        if not getattr(parameter, "hidden", False):
            panels.setdefault(_panel(parameter), []).append((spelling(parameter), parameter.help or ""))
    other = panels.pop("", [])
    for name, rows in [*panels.items(), ("Other" if set(panels) - {"Arguments"} else "Options", other)]:
        if rows:
            with formatter.section(heading(name)):
                formatter.write_dl(rows, col_max=26)


def _panel(parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return getattr(parameter, "rich_help_panel", None) or ""


def spelling(parameter: Parameter) -> str:
    """ "-c, --config FILE", "--[no-]probe"."""
    noun = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        return f"{noun}..." if parameter.nargs == -1 else str(noun)
    flags = ", ".join(sorted(parameter.opts, key=lambda flag: flag.startswith("--")))
    if parameter.secondary_opts:
        flags = flags.replace("--", "--[no-]", 1)
    return flags if getattr(parameter, "is_flag", False) else f"{flags} {noun}"


def write_examples(epilog: str | None, formatter: Any) -> None:
    if epilog:
        with formatter.section(heading("Examples")):
            for line in epilog.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def heading(name: str) -> str:
    plain = not sys.stdout.isatty() or os.environ.get("TERM") in (None, "", "dumb") or os.environ.get("NO_COLOR")
    return name if plain else typer.style(name, bold=True)
