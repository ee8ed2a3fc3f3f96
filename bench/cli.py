"""The command line: typer commands, no logic. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from bench.commands.completion import COMPLETIONS, cells, listings, results_folders
from bench.commands.interrupts import LINE, STOPPED, end_at_once, raise_it
from bench.commands.mistyped import refusal
from bench.commands.streams import nobody_reads, show_what_can_be_shown, tell
from bench.commands.usage import CommandLine, Commands
from bench.errors import UsageError, is_out_of_memory, out_of_memory_line, tell_in_lines
from bench.flags import flags_of, unbroken
from bench.request import MACHINE, OUTPUT, TRUSTED, WHAT, CheckRequest, PredictRequest, ReportRequest, RunRequest

app = CommandLine(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Folder = Annotated[
    Path | None,
    typer.Option("--in", metavar="FOLDER", help="Results folder; default: all under results/.",
                 autocompletion=results_folders),
]  # fmt: skip
CellId = Annotated[str, typer.Argument(metavar="CELL", help="Id, or how it begins.", autocompletion=cells)]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="PATH", help="Python file with methods or suites.")
]
Config = Annotated[Path | None, typer.Option("-c", "--config", metavar="PATH", rich_help_panel=WHAT,
                                             help="TOML file that says the same as the flags.")]  # fmt: skip
Planning = Annotated[bool, typer.Option("--plan", rich_help_panel=OUTPUT,
                                        help="Show what would run and how long it takes, and stop.")]  # fmt: skip
Probing = Annotated[bool, typer.Option(
    rich_help_panel=OUTPUT,
    help="With --plan: time a few steps where no earlier run tells; after a run: measure alone what shared a loop. "
    + unbroken("[default: on]"),
)]  # fmt: skip
DryRun = Annotated[bool, typer.Option("--dry-run", rich_help_panel=MACHINE,
                                      help="Show what SLURM would be given, and stop.")]  # fmt: skip


def _print_version(asked: bool) -> None:
    if asked:
        from bench.commands.versions import versions

        typer.echo(versions())
        raise typer.Exit


@app.callback()
def bench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show versions and stop.")
    ] = False,
) -> None:
    """Compare ways of tuning pretrained language models."""


@app.command()
@flags_of(RunRequest, COMPLETIONS)
def run(
    given: dict[str, Any],
    config: Config = None,
    plan: Planning = False,
    probe: Probing = True,
    dry_run: DryRun = False,
) -> None:
    """Measure a grid of methods × tasks × models × seeds; what is already in the results folder is not run again."""
    end_at_once()
    from bench.commands.run import run_grid

    request = RunRequest.read(given, config)
    raise typer.Exit(run_grid(request, only_plan=plan, probing=probe, dry_run=dry_run).code)


@app.command()
@flags_of(ReportRequest, COMPLETIONS)
def report(given: dict[str, Any]) -> None:
    """Aggregate seeds into tables and verdicts and draw the scale figure."""
    from bench.commands.report import report_folders

    report_folders(ReportRequest.read(given))


@app.command()
def status(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Results folder; default: the newest.", autocompletion=results_folders),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look every few seconds until nothing is left.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: results/README.md has the keys.")] = False,
) -> None:
    """Show what of a grid is done, running and where, waiting and failed, also of a run on other machines."""
    from bench.commands.status import show_status

    show_status(folder, as_json, watch)


@app.command()
@flags_of(CheckRequest, COMPLETIONS)
def check(given: dict[str, Any]) -> None:
    """Look at the environment, data and models, and hold methods and tasks to the rules that the built-in ones keep."""
    from bench.commands.check import check_all

    raise typer.Exit(check_all(CheckRequest.read(given)))


@app.command("list")
def list_(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="methods, suites, tasks, models, trackers.", autocompletion=listings)
    ],
    plugin: Plugins = None,
) -> None:
    """Show what can be named on the command line."""
    from bench.commands.listings import list_names

    list_names(what, plugin or [])


@app.command()
def show(
    cell: CellId,
    folder: Folder = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole record as JSON, as it is where the output is no terminal.")
    ] = False,
) -> None:
    """Show what a cell came to: settings, scores, curve and costs."""
    from bench.commands.show import show_cell

    show_cell(cell, folder, as_json)


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Results folder.", autocompletion=results_folders)],
    to: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="hub:owner/name, a data set, or NAME.tar.xz; may be new.")
    ],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, with sizes, and stop.")] = False,
    predictions: Annotated[bool, typer.Option("--with-predictions", help="Also those that are texts.")] = False,
    examples: Annotated[bool, typer.Option("--with-examples", help="The texts that were scored too.")] = False,
    tuned: Annotated[bool, typer.Option("--with-tuned", help="What was trained too.")] = False,
    terms: Annotated[
        bool, typer.Option("--terms", help="Of predictions what metrics count, example by example: smallest.")
    ] = False,
) -> None:
    """Share results on the hub, or in a file: records, table, report and a page, joined to what lies there."""
    from bench.commands.push import push_results
    from bench.share.union import Extras

    push_results(folder, to, Extras(predictions, examples, tuned, terms), private, dry_run)


@app.command()
@flags_of(PredictRequest, COMPLETIONS)
def predict(given: dict[str, Any]) -> None:
    """Answer new rows of its task with what a finished cell has trained."""
    from bench.commands.predict import predict_file

    predict_file(PredictRequest.read(given))


@app.command()
def export(
    cell: CellId,
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="New folder.")],
    folder: Folder = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Where the cell's model lies now.")] = None,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help=TRUSTED)] = False,
    plugin: Plugins = None,
) -> None:
    """Write a finished cell for others to load: an adapter for PEFT, or a checkpoint or weights with a head."""
    from bench.commands.cells import export_cell

    export_cell(cell, to, folder, plugin or [], model, trust_remote_code)


def main() -> None:
    """Entry point: what a user can mend is one line and exit code 2."""
    try:
        raise_it()
        tell_in_lines(tell)
        show_what_can_be_shown()
        if "_BENCH_COMPLETE" in os.environ:
            warnings.simplefilter("ignore")  # a word is being typed
        if os.environ.get("_BENCH_COMPLETE") == "complete_bash":
            from bench.commands.bash import complete

            complete(lambda: app(prog_name="bench"))
            sys.exit(0)
        code = app(prog_name="bench", standalone_mode=False)
        sys.stdout.flush()  # a reader that is gone is met here, not at Python's end
    except BrokenPipeError:
        nobody_reads()
        sys.exit(1)
    except UsageError as error:
        _end(str(error))
    except Exception as error:
        line = out_of_memory_line(error) if is_out_of_memory(error) else refusal(error)
        if line is None:
            raise
        if not sys.argv[1:]:  # no command at all
            print(error)
            sys.exit(2)
        _end(line)
    if code == STOPPED:
        print(LINE, file=sys.stderr)
    sys.exit(code)


def _end(message: str) -> NoReturn:
    tell("error", message)
    sys.exit(2)


if __name__ == "__main__":
    main()
