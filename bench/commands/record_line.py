"""One line on one record."""

from __future__ import annotations

from bench.store.record import Record


def summary(record: Record) -> str:
    """One line on one record."""
    cell = record.cell
    head = f"{cell.model} · {cell.task} · {cell.label} · {cell.seed_label}"
    if record.status != "done":
        return f"{head}: {record.status.upper()}: {record.reason}"
    scores = ", ".join(f"{name} {value:.1f}" for name, value in record.scores.items())
    if cell.stage == "trial":
        scores = f"{record.main_metric} {record.selection_score:.1f} on the selection slice"
    costs = record.costs
    speed = f", {costs.tokens_per_second:,.0f} tokens/s" if costs.tokens_per_second else ""
    first = f", after {costs.joint_steps} steps on several data sets" if costs.joint_steps else ""
    return f"{head}: {scores} ({costs.seconds:.1f} s{speed}{first})"
