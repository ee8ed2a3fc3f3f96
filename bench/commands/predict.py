"""`bench predict`: a finished cell answers new rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from bench.cell import RESULTS_VERSION
from bench.commands.folders import store_of
from bench.commands.screen import screen
from bench.data.files import read
from bench.data.located import Located
from bench.errors import UsageError
from bench.escaping.terminal import Screen
from bench.model.trust import trusting
from bench.registry import load_plugin
from bench.request import PredictRequest
from bench.resolved import resolve
from bench.store.declarations import declare_kept
from bench.store.record import Record
from bench.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from bench.predicting import Predicting

PIPE = "-"  # `--to -`: lines of JSON on standard output
FEW = 20  # rows that are shown and not written
WIDEST = 48  # characters of a cell that is shown
READ_LISTS = ("words", "spans")
TABLES = (".csv", ".tsv")


def answered(request: PredictRequest, rows: Iterator[Located] | None = None) -> pd.DataFrame:
    """The answers to these rows, or to those of the request's file, a row each; with the scores in `.attrs` where asked
    for.
    """
    import pandas as pd

    store, record = _asked(request)
    rows = rows if rows is not None else _of_file(Path(request.data or ""), record)
    first = list(islice(rows, 1))  # what cannot be read is told before a model is loaded
    predicting = _predicting(request, store, record)
    answers = list(predicting.answers(chain(first, rows)))
    _tell(predicting, request)
    table = pd.DataFrame(answers)
    if request.score:
        table.attrs["scores"] = predicting.scores
    return table


def predict_file(request: PredictRequest) -> None:
    """Answer the rows of a file: to a file, to a pipe, or, where nothing says where and they are few, to the screen."""
    from bench.predicting.written import json_line, write_rows

    if not request.cell or request.data is None:
        lacking = "the id of a cell" if not request.cell else "--data FILE, with the rows"
        raise UsageError(f"bench predict CELL --data FILE: give {lacking}")
    store, record = _asked(request)
    rows = _of_file(request.data, record)
    first = list(islice(rows, 1))  # what cannot be read is told before a model is loaded
    if not first:
        raise UsageError(f"{request.data} has no rows")
    out, told = screen(), Screen(stderr=True)
    predicting = _predicting(request, store, record)
    answers = predicting.answers(chain(first, rows))
    to = request.to
    if to == PIPE:
        for answer in answers:
            print(json_line(answer))
    else:
        begin = list(islice(answers, FEW + 1)) if to is None else []
        if to is None and len(begin) <= FEW:
            out.print(_table(begin))
        else:
            path = Path(to) if to is not None else _beside(request.data)
            if path.resolve() == request.data.resolve():
                raise UsageError(f"--to {path} is the file with the rows; choose another")
            write_rows(path, chain(begin, answers))
            out.print(f"wrote {path}: {predicting.num_rows:,} rows", highlight=False, soft_wrap=True)
    _tell(predicting, request)
    if request.score:
        for name, value in predicting.scores.items():
            (told if to == PIPE else out).print(f"{name} {value:.2f}", highlight=False)


def _asked(request: PredictRequest) -> tuple[Store, Record]:
    """The cell that is to answer; what it is of is known from here on."""
    for path in request.plugin:
        load_plugin(path)
    store = store_of(request.cell, request.folder)
    record = store.record(request.cell)
    declare_kept(store.path, record.cell.suite)
    if record.cell.results_version != RESULTS_VERSION:
        versions = f"results version {record.cell.results_version}, and this is {RESULTS_VERSION}"
        warnings.warn(f"cell {record.id} is of {versions}: it may answer otherwise than it did", stacklevel=2)
    return store, record


def _predicting(request: PredictRequest, store: Store, record: Record) -> Predicting:
    from bench.model.device import choose_device, choose_precision  # torch comes in here
    from bench.predicting import Predicting
    from bench.predicting.restored import restore

    device = choose_device(request.device)
    changes: dict[str, Any] = {}
    if request.precision is not None:
        changes["precision"] = choose_precision(request.precision, device)
    if request.model is not None:
        changes["model_path"] = request.model
    if changes:
        record = record.model_copy(update={"cell": record.cell.changed(**changes)})
    with trusting(request.trust_remote_code):
        restored = restore(store, record, device, request.token_budget)
    return Predicting(restored, scoring=request.score)


def _of_file(path: Path, record: Record) -> Iterator[Located]:
    """The rows of a file, read as those of the cell's task are."""
    source = resolve(record.cell).task.source
    return iter(read(path, source.columns, source.broken_lines))


def _tell(predicting: Predicting, request: PredictRequest) -> None:
    """A warning for each thing that the answers do not show."""
    questions = predicting.questions
    if predicting.num_cut:
        rows = f"{predicting.num_cut:,} of {predicting.num_rows:,} rows"
        warnings.warn(f"{rows} are longer than the cell reads, and were cut", stacklevel=2)
    for tally, what in (
        (questions.repaired, "repaired"), (questions.no_example, "without an answer"),
        (questions.doubtful, "answered although"),
    ):  # fmt: skip
        if tally.total:
            warnings.warn(f"{request.data or 'data'}: {what}: {tally.listed(with_places=True)}", stacklevel=2)


def _beside(data: Path) -> Path:
    """Where answers go when nobody says: here, named after the file that they are to."""
    ending = data.suffix.casefold() if data.suffix.casefold() in TABLES else ".jsonl"
    return Path(f"{data.name.partition('.')[0] or 'rows'}.predictions{ending}")


def _table(rows: list[dict[str, Any]]) -> Table:
    """What of the answers a person reads: not each class's probability, nor lists but of words and spans."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    first = rows[0] if rows else {}
    names = [
        name
        for name, value in first.items()
        if name in READ_LISTS or not (isinstance(value, list | tuple) or name.startswith("p("))
    ]
    for name in names:
        table.add_column(Text(name), no_wrap=not isinstance(first[name], str) or name == "prediction")
    for row in rows:
        table.add_row(*(Text(_shown(row[name])) for name in names))
    return table


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list | tuple):
        value = " ".join(map(_part, value))
    text = "" if value is None else str(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _part(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value.get('type')}:{value.get('text')}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
