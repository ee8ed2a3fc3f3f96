"""Under which conditions the numbers of a table were measured, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from bench.report.read.names import natural, seeds_text

PROTOCOLS = {
    "holdout": "holdout (steps and settings chosen on a slice held out of train, the scored set read once)",
    "paper": "paper (best epoch, and settings where trials chose them, on the dev set, as the published tables)",
}


def conditions(frame: pd.DataFrame) -> str:
    """Under which protocol, trials, budget and seeds the numbers of a frame were measured."""
    protocols = [PROTOCOLS.get(name, name) for name in sorted(set(frame["protocol"]))]
    budgets = sorted(set(frame["budget"]), key=natural)
    lengths = lengths_text({str(task): rows for task, rows in frame.groupby("task")["max_length"]})
    return (
        f"Protocol: {'; '.join(protocols)}. {trials_text(frame)}Budget: {'; '.join(budgets)}; "
        f"texts of at most {lengths}. Seeds: {seeds_text(frame['seed'])}."
    )


def trials_text(frame: pd.DataFrame) -> str:
    """From how many trials settings were chosen, as a sentence; "" where none were."""
    counts = sorted(set(frame["trials"]) - {0}) if "trials" in frame.columns else []
    return f"Trials: settings chosen from {' or '.join(map(str, counts))}. " if counts else ""


def lengths_text(lengths: Mapping[str, Iterable[int]]) -> str:
    """What texts were cut to, per task: "128 tokens (cb, rte), 384 tokens (squad1)"; without tasks when all agree."""
    tasks: dict[int, list[str]] = {}
    for task, of_task in lengths.items():
        for length in set(of_task):
            tasks.setdefault(length, []).append(task)
    if len(tasks) == 1:
        return f"{next(iter(tasks))} tokens"
    return ", ".join(f"{length} tokens ({', '.join(sorted(names))})" for length, names in sorted(tasks.items()))
