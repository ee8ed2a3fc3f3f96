"""What settings were chosen from: the trials of one cell, and the chosen settings of a whole report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table as Grid
from rich.text import Text

from bench.cell import settings_text
from bench.escaping.file_names import file_part
from bench.plan.selection import ranking
from bench.report.read.names import model_names
from bench.report.read.outcomes import Outcome
from bench.report.tables.table import Table
from bench.store.record import Record
from bench.store.store import Store

HEADER = ("model", "method", "task", "setting", "selection score", "trials")
SELECTED_ON = {"holdout": "the slice held out of train", "paper": "dev"}


def trials_table(record: Record, store: Store) -> Grid:
    """The trials of a chosen cell, in their order, and why one of them was chosen."""
    rule = f"best {record.main_metric} on {SELECTED_ON[record.cell.protocol]}, of equals the earlier trial"
    table = Grid(title=f"Chosen by: {rule}", title_justify="left")
    table.add_column("trial", no_wrap=True, min_width=16)
    for name in ("settings", "selection score", "step", "status", "chosen"):
        table.add_column(name, overflow="fold")
    for trial_id, trial, chosen in ranking(record, store):
        if trial is None:
            table.add_row(trial_id, "", "", "", "not in this folder", "")
            continue
        score = "" if trial.selection_score is None else f"{trial.selection_score:.2f}"
        status = trial.status if trial.status == "done" else f"{trial.status}: {trial.reason}"
        settings_tried = Text(settings_text(trial.cell.drawn))
        step = str(trial.selected_step or "")
        table.add_row(trial_id, settings_tried, score, step, Text(status), "✓" if chosen else "")
    return table


def chosen_table(outcomes: Sequence[Outcome], frame: pd.DataFrame, suite: str) -> Table | None:
    """The chosen setting of every model, line and task of a suite; None where all settings were given.

    `frame` is that of the outcomes (read.frame).
    """
    with_trials = frame[frame["trials"].astype(bool)]
    names = {(row.id, row.suite): row.label for row in with_trials.itertuples()}
    records = {outcome.cell.id: outcome.record for outcome in outcomes if outcome.cell.stage == "trial"}
    models = model_names(frame["model"])
    rows: dict[tuple[str, ...], tuple[str, ...]] = {}
    protocols = set()
    for outcome in outcomes:
        cell = outcome.cell
        if cell.suite == suite and (cell.id, cell.suite) in names:
            protocols.add(cell.protocol)
            head = (models[cell.model], str(names[cell.id, cell.suite]), cell.task)
            rows[*head, settings_text(cell.drawn)] = (*head, *_chosen(outcome, records))
    if not rows:
        return None
    where = " or ".join(SELECTED_ON[protocol] for protocol in sorted(protocols))
    notes = (
        f"Selection score: the task's main metric on {where}, of the chosen setting's trial, at the trials' own seed; "
        "of equals the earlier trial was chosen, the default setting first.",
    )
    return Table(
        f"chosen-{file_part(suite)}",
        "Chosen settings",
        HEADER,
        tuple(rows.values()),
        notes,
        suite,
        num_words=4,
        heading_level=2,
    )


def _chosen(outcome: Outcome, records: Mapping[str, Record | None]) -> tuple[str, str, str]:
    """Setting, selection score and trials of a cell whose settings were chosen."""
    cell = outcome.cell
    tried = [records.get(trial_id) for trial_id in cell.tried]
    statuses = Counter(record.status if record else "missing" for record in tried)
    lacking = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()) if status != "done")
    trials = str(len(tried)) if len(tried) == cell.trials else f"{len(tried)} of {cell.trials}"
    trials += f" ({lacking})" if lacking else ""
    if outcome.reason:
        return outcome.reason, "–", trials
    winner = next((record for record in tried if record and record.cell.settings == cell.settings), None)
    score = "?" if winner is None or winner.selection_score is None else f"{winner.selection_score:.1f}"
    return settings_text(cell.drawn), score, trials
