"""What a user asks for: the flags of a command, the keys of a grid file and the arguments in Python are these fields.

A field's declaration has its name, type, default and line of help, and how it is written follows from its type (see
bench.spelling); nothing else in the engine lists them. No torch here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ValidationError, ValidationInfo, field_validator

from bench.cell import AskedPrecision, Budget, Compile, Executor, Protocol
from bench.fields import Request, argument, flag
from bench.spelling import NAMES, Devices, Names, Paths, Place, Places, Seeds, Settings, Sweep, Table, names, one_of

Format = Literal["md", "csv", "tex", "png", "svg", "html"]
WHAT, BUDGET, CHOICE = "What", "Budget, alike for every method", "Seeds and choices"  # headings of a command's help
MACHINE, OUTPUT = "Machine", "Output"
Formats = Annotated[tuple[str, ...], one_of("report format", Format), BeforeValidator(names), NAMES]


class RunRequest(Request):
    """A grid to be measured, and how. Empty fields mean what the suite says."""

    suite: str = flag("smoke", "Suite of tasks.", panel=WHAT, value="NAME")
    tasks: Names = flag((), "Tasks of the suite, or task files (.toml); default: all.", panel=WHAT)
    data: Place = flag(None, "A file, folder or hub:OWNER/NAME of one's own; or a suite's data folder.", panel=WHAT)
    text: Names = flag((), "Of --data: the column of the text, or of several.", value="COLUMN", panel=WHAT)
    label: str | None = flag(None, "Of --data: the column of the label.", value="COLUMN", panel=WHAT)
    group: str | None = flag(None, "Of --data: the column of what stays together.", value="COLUMN", panel=WHAT)
    id: str | None = flag(None, "Of --data: the column of the rows' ids.", value="COLUMN", panel=WHAT)
    split_by: str | None = flag(None, "Of --data: the column that says train, dev or test.", value="COLUMN", panel=WHAT)
    kind: str | None = flag(None, "Of --data: the kind of task, where it is not seen.", value="KIND", panel=WHAT)
    methods: Names = flag((), "Comma-separated, or all; default: the suite's.", panel=WHAT)
    models: Places = flag((), "Hub ids, folders, or families like pythia.", panel=WHAT)
    set: Settings = flag({}, "Of a method, like ptv2.length=40; repeatable.", panel=WHAT)
    plugin: Paths = flag((), "Python file with methods or suites.", panel=WHAT)
    epochs: int | None = flag(None, "Passes over train, for every method.", panel=BUDGET)
    steps: int | None = flag(None, "Steps instead of epochs.", panel=BUDGET)
    batch_size: int | None = flag(None, "Rows a step.", panel=BUDGET)
    max_length: int | None = flag(None, "Tokens of text; prompts come on top.", panel=BUDGET)
    evaluations: int | None = flag(None, "Evaluations along the way.", panel=BUDGET)
    train_rows: int | None = flag(None, "Use only so many train rows.", panel=BUDGET)
    scored_rows: int | None = flag(None, "Score only so many rows.", panel=BUDGET)
    limit: int | None = flag(None, "Both: train on and score at most so many rows.", panel=BUDGET)
    backbone_dropout: bool | None = flag(None, "Train with the backbone's own dropout on.", panel=BUDGET)
    seeds: Seeds = flag((), "A number of seeds (5), or seeds (11,44).", panel=CHOICE)
    trials: int = flag(0, "Choose among so many settings of each method's space.", ge=1, panel=CHOICE)
    sweep: Sweep = flag({}, "A line for each value: ptv2.length=8,32, budget.epochs=5,40; repeatable.", panel=CHOICE)
    protocol: Annotated[Protocol, one_of("protocol", Protocol)] = flag(
        "holdout", "Select on rows held out of train, or on dev as published.", panel=CHOICE
    )
    vary: Names = flag((), "Seeds to vary alone too: init,order,split,dropout.", panel=CHOICE)
    devices: Devices = flag("all", "all, cpu, cpu:4, 0,2: a worker each.", also="device", panel=MACHINE, value="LIST")
    precision: Annotated[AskedPrecision, one_of("precision", AskedPrecision)] = flag(
        "auto", "auto, bf16, fp32; int8, nf4: frozen matrices in few bits.", panel=MACHINE, value="NAME"
    )
    lanes: int | None = flag(None, "Most cells in one loop; default: by device.", ge=1, panel=MACHINE)
    shard: int = flag(1, "GPUs of one worker, for models larger than one.", ge=1, panel=MACHINE)
    token_budget: int | None = flag(None, "Tokens per micro-batch; default: by device.", ge=1, panel=MACHINE)
    checkpointing: bool = flag(False, "Remake activations in backward: less memory.", panel=MACHINE)
    compile: Annotated[Compile, one_of("choice of compile", Compile)] = flag(
        "auto", "Run layers compiled.", panel=MACHINE
    )
    executor: Annotated[Executor, one_of("executor", Executor)] = flag(
        "local", "Who starts the workers.", panel=MACHINE
    )
    slurm: Table = flag({}, "For --executor slurm, like gpus=1; repeatable.", panel=MACHINE)
    address: str | None = flag(
        None, "Of the Ray cluster: auto, HOST:PORT or ray://HOST:PORT.", shown="auto", panel=MACHINE, value="ADDRESS"
    )
    out: Place = flag(None, "Results folder.", shown="results/SUITE", panel=OUTPUT)
    save_tuned: bool = flag(True, "Keep tuned.safetensors of every cell.", shown="on", panel=OUTPUT)
    track: Names = flag((), "Tell tensorboard, wandb, mlflow or trackio.", panel=OUTPUT)

    @property
    def budget(self) -> dict[str, Any]:
        """What was asked for of the budget that all methods get alike, by the names of its fields."""
        rows = {} if self.limit is None else dict.fromkeys(("train_rows", "scored_rows"), self.limit)
        asked = {name: getattr(self, name) for name in Budget.model_fields}
        return rows | {name: value for name, value in asked.items() if value is not None}

    @field_validator(*Budget.model_fields, "limit")
    @classmethod
    def _a_budget_may_have_it(cls, value: Any, field: ValidationInfo) -> Any:
        names = ("train_rows", "scored_rows") if field.field_name == "limit" else (field.field_name,)
        if value is not None:
            try:
                Budget(**dict.fromkeys(map(str, names), value))
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"]) from None
        return value


class CheckRequest(Request):
    """What `bench check` looks at beside the environment, or instead of it."""

    folders: Paths = argument((), "Results folders, or hub:owner/name: whether their files are what was written.")
    plugin: Paths = flag((), "Python file whose methods and tasks are held to the rules.")
    methods: Names = flag((), "Known methods that are held to the rules.")
    suite: str | None = flag(None, "Known suite whose tasks are held to the rules.", value="NAME")
    tasks: Names = flag((), "Tasks of that suite, or task files (.toml); default: all.")
    models: Places = flag((), "Models to be proved, and to try the rules on.", shown="an embedded one")
    data: Place = flag(None, "A file of one's own, or a folder with data sets: what would be read.")
    text: Names = flag((), "Of --data: the column of the text, or of several.", value="COLUMN")
    label: str | None = flag(None, "Of --data: the column of the label.", value="COLUMN")
    group: str | None = flag(None, "Of --data: the column of what stays together.", value="COLUMN")
    id: str | None = flag(None, "Of --data: the column of the rows' ids.", value="COLUMN")
    split_by: str | None = flag(None, "Of --data: the column that says train, dev or test.", value="COLUMN")
    kind: str | None = flag(None, "Of --data: the kind of task, where it is not seen.", value="KIND")
    set: Settings = flag({}, "Of the methods, like ptv2.length=40; repeatable.")


class PredictRequest(Request):
    """Rows that a finished cell is to answer."""

    cell: str = argument("", "Id, or how it begins.")
    data: Place = flag(None, "File with the rows, in any format that tasks have.")
    to: str | None = flag(
        None, "File .csv, .tsv, .jsonl, .parquet; - for JSON lines.", shown="the screen, or a file if many"
    )
    folder: Place = flag(None, "Results folder.", also="in", shown="all under results/")
    score: bool = flag(False, "The rows have their answers: score the predictions.")
    device: str = flag("auto", "auto, cpu, cuda, cuda:1.")
    precision: Annotated[AskedPrecision | None, one_of("precision", AskedPrecision)] = flag(
        None, "bf16, fp32, int8, nf4.", shown="the cell's"
    )
    token_budget: int | None = flag(None, "Tokens per micro-batch.", shown="the cell's, or by device", ge=1)
    model: str | None = flag(None, "Where the cell's model lies now.", shown="where it lay")
    plugin: Paths = flag((), "Python file with methods or suites.")


class ReportRequest(Request):
    """A report of results folders."""

    folders: Paths = argument((), "Results folders, or hub:owner/name; default: the newest.")
    format: Formats = flag(get_args(Format), "Some of md,csv,tex,png,svg,html; default: all.", value="NAME,…")
    reference: str | None = flag(None, "Line to compare with.", shown="fine-tuning's", value="LINE")
    margin: float = flag(1.0, "Points within which a method matches the reference.")
    published: bool = flag(False, "Overlay published numbers.")
    to: Place = flag(None, "Where to write.", shown="FOLDER/report")
    samples: int = flag(10, "Predictions of a cell that the page shows, 0 for none.", ge=0)
    plugin: Paths = flag((), "Python file with methods or suites.")
