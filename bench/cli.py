"""The command line: typer commands, no logic. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from bench.errors import UsageError

app = typer.Typer(
    help="Compare ways of tuning pretrained language models.", no_args_is_help=True, pretty_exceptions_enable=False
)

Texts = Annotated[list[str] | None, typer.Option()]


@app.command()
def run(
    methods: Annotated[str | None, typer.Option(help="Comma-separated; default: the suite's.")] = None,
    suite: Annotated[str | None, typer.Option(help="Suite of tasks.", show_default="smoke")] = None,
    tasks: Annotated[str | None, typer.Option(help="Tasks of the suite; default: all.")] = None,
    models: Annotated[str | None, typer.Option(help="Hub ids, folders, or families like pythia.")] = None,
    seeds: Annotated[str | None, typer.Option(help="A number of seeds (5), or seeds (11,44).")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="METHOD.SETTING=VALUE; repeatable.")] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(help="METHOD.SETTING=VALUE,VALUE, or budget.epochs=…: a line for each; repeatable."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Choose among so many settings of each method's space.")] = None,
    vary: Annotated[str | None, typer.Option(help="Seeds to vary alone too: init,order,split,dropout.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the data as its authors lay it out.")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder.", show_default="results/SUITE")] = None,
    protocol: Annotated[str | None, typer.Option(help="holdout or paper.", show_default="holdout")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over train, for every method.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps instead of epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of text; prompts come on top.")] = None,
    evaluations: Annotated[int | None, typer.Option(help="Evaluations along the way.")] = None,
    train_rows: Annotated[int | None, typer.Option(help="Use only so many train rows.")] = None,
    scored_rows: Annotated[int | None, typer.Option(help="Score only so many rows.")] = None,
    limit: Annotated[int | None, typer.Option(help="Both: train on and score at most so many rows.")] = None,
    backbone_dropout: Annotated[bool | None, typer.Option(help="Train with the backbone's own dropout on.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1.", show_default="auto")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, bf16, fp32.", show_default="auto")] = None,
    lanes: Annotated[int | None, typer.Option(help="Most cells in one loop.", show_default="8")] = None,
    token_budget: Annotated[int | None, typer.Option(help="Tokens per micro-batch; default: by device.")] = None,
    checkpointing: Annotated[bool | None, typer.Option(help="Remake activations in backward: less memory.")] = None,
    save_tuned: Annotated[bool | None, typer.Option(help="Keep tuned.safetensors of every cell.")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="Python file with methods or suites.")] = None,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="TOML file with the same keys.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would run, and stop.")] = False,
) -> None:
    """Measure a grid of methods x tasks x models x seeds; what is already in the results folder is not run again."""
    flags: dict[str, Any] = {key: value for key, value in locals().items() if value is not None}
    from bench.commands import run_grid

    raise typer.Exit(run_grid(flags))


@app.command()
def report(
    folders: Annotated[list[Path] | None, typer.Argument(help="Results folders; default: the newest.")] = None,
    format_: Annotated[str, typer.Option("--format", help="Any of md,csv,tex,png,svg,html.")] = (
        "md,csv,tex,png,svg,html"
    ),
    reference: Annotated[str | None, typer.Option(help="Line to compare with.", show_default="fine-tuning's")] = None,
    margin: Annotated[float, typer.Option(help="Points within which a method matches the reference.")] = 1.0,
    published: Annotated[bool, typer.Option("--published", help="Overlay published numbers.")] = False,
    to: Annotated[Path | None, typer.Option(help="Where to write.", show_default="FOLDER/report")] = None,
    samples: Annotated[int, typer.Option(min=0, help="Predictions of a cell that the page shows, 0 for none.")] = 10,
    plugin: Annotated[list[Path] | None, typer.Option(help="Python file with methods or suites.")] = None,
) -> None:
    """Aggregate seeds into tables and verdicts and draw the scale figure."""
    from bench.commands import report_folders

    report_folders(folders or [], format_, published, to, plugin or [], reference, margin, samples)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="methods, suites, tasks or models.")],
    plugin: Annotated[list[Path] | None, typer.Option(help="Python file with methods or suites.")] = None,
) -> None:
    """Show what can be named on the command line."""
    from bench.commands import list_names

    list_names(what, plugin or [])


@app.command()
def show(
    cell: Annotated[str, typer.Argument(help="Id, or how it begins.")],
    folder: Annotated[Path | None, typer.Option("--in", help="Results folder; default: the newest.")] = None,
) -> None:
    """Print one cell's record."""
    from bench.commands import show_cell

    show_cell(cell, folder)


@app.command()
def export(
    cell: Annotated[str, typer.Argument(help="Id, or how it begins.")],
    to: Annotated[Path, typer.Option("--to", help="New folder for the adapter.")],
    folder: Annotated[Path | None, typer.Option("--in", help="Results folder; default: the newest.")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="Python file with methods or suites.")] = None,
) -> None:
    """Write a finished cell as an adapter that PEFT loads."""
    from bench.commands import export_cell

    export_cell(cell, to, folder, plugin or [])


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
