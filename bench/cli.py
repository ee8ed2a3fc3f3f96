"""The command line: typer commands, no logic. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from bench.errors import UsageError
from bench.flags import flags_of
from bench.request import CheckRequest, PredictRequest, ReportRequest, RunRequest

app = typer.Typer(
    help="Compare ways of tuning pretrained language models.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.command()
@flags_of(RunRequest)
def run(
    given: dict[str, Any],
    config: Annotated[Path | None, typer.Option("-c", "--config", help="TOML file with the same keys.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would run and how long it takes, and stop.")] = False,
    probe: Annotated[bool, typer.Option(help="With --plan: time a few steps where no earlier run tells.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what SLURM would be given, and stop.")] = False,
) -> None:
    """Measure a grid of methods x tasks x models x seeds; what is already in the results folder is not run again."""
    from bench.commands.run import run_grid

    request = RunRequest.read(given, config)
    raise typer.Exit(run_grid(request, only_plan=plan, probing=probe, dry_run=dry_run))


@app.command()
@flags_of(ReportRequest)
def report(given: dict[str, Any]) -> None:
    """Aggregate seeds into tables and verdicts and draw the scale figure."""
    from bench.commands.report import report_folders

    report_folders(ReportRequest.read(given))


@app.command()
def status(
    folder: Annotated[Path | None, typer.Argument(help="Results folder; default: the newest.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look every few seconds until nothing is left.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: results/README.md has the keys.")] = False,
) -> None:
    """Show what of a grid is done, running and where, waiting and failed, also of a run on other machines."""
    from bench.commands.status import show_status

    show_status(folder, as_json, watch)


@app.command()
@flags_of(CheckRequest)
def check(given: dict[str, Any]) -> None:
    """Look at the environment, data and models, and hold methods and tasks to the rules that the built-in ones keep."""
    from bench.commands.check import check_all

    raise typer.Exit(check_all(CheckRequest.read(given)))


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="methods, suites, tasks or models.")],
    plugin: Annotated[list[Path] | None, typer.Option(help="Python file with methods or suites.")] = None,
) -> None:
    """Show what can be named on the command line."""
    from bench.commands.listings import list_names

    list_names(what, plugin or [])


@app.command()
def show(
    cell: Annotated[str, typer.Argument(help="Id, or how it begins.")],
    folder: Annotated[Path | None, typer.Option("--in", help="Results folder; default: all under results/.")] = None,
) -> None:
    """Print one cell's record."""
    from bench.commands.cells import show_cell

    show_cell(cell, folder)


@app.command()
@flags_of(PredictRequest)
def predict(given: dict[str, Any]) -> None:
    """Answer new rows of its task with what a finished cell has trained."""
    from bench.commands.predict import predict_file

    predict_file(PredictRequest.read(given))


@app.command()
def export(
    cell: Annotated[str, typer.Argument(help="Id, or how it begins.")],
    to: Annotated[Path, typer.Option("--to", help="New folder.")],
    folder: Annotated[Path | None, typer.Option("--in", help="Results folder; default: all under results/.")] = None,
    model: Annotated[str | None, typer.Option(help="Where the cell's model lies now.")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="Python file with methods or suites.")] = None,
) -> None:
    """Write a finished cell for others to load: an adapter for PEFT, or a checkpoint or weights with a head."""
    from bench.commands.cells import export_cell

    export_cell(cell, to, folder, plugin or [], model)


STOPPED = 130  # what a shell expects after Ctrl-C


def main() -> None:
    """Entry point: what a user can mend is one line and exit code 2."""
    warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
    try:
        code = app(standalone_mode=False)
    except UsageError as error:
        _end(str(error))
    except Exception as error:
        refused = getattr(error, "format_message", None)  # a flag typer itself refuses; the class moves with versions
        if refused is None:
            raise
        if not sys.argv[1:]:
            sys.exit(2)  # no command at all: the help has been printed
        _end(f"{refused().rstrip('.')}; see bench --help")
    if code == STOPPED:
        print("stopped; finished cells are kept, the same command goes on from there", file=sys.stderr)
    sys.exit(code)


def _end(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
