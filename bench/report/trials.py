"""What settings were chosen from: the trials of one cell, and the chosen settings of a whole report."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from bench.selection import ranking, settings_text
from bench.store.record import Record
from bench.store.store import Store

SELECTED_ON = {"holdout": "the slice held out of train", "paper": "dev"}


def trials_table(record: Record, store: Store) -> Table:
    """The trials of a chosen cell, in their order, and why one of them was chosen."""
    rule = f"best {record.main_metric} on {SELECTED_ON[record.cell.protocol]}, of equals the earlier trial"
    table = Table("trial", "settings", "selection score", "step", "status", "chosen", title=f"Chosen by: {rule}")
    for trial_id, trial, chosen in ranking(record, store):
        if trial is None:
            table.add_row(trial_id, "", "", "", "not in this folder", "")
            continue
        score = "" if trial.selection_score is None else f"{trial.selection_score:.2f}"
        status = trial.status if trial.status == "done" else f"{trial.status}: {trial.reason}"
        settings_tried = escape(settings_text(trial.cell.drawn))
        step = str(trial.selected_step or "")
        table.add_row(trial_id, settings_tried, score, step, escape(status), "✓" if chosen else "")
    return table
