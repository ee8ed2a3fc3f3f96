"""How numbers, budgets and seeds read in tables, captions and figures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from bench.cell import Budget

PROTOCOLS = {
    "holdout": "holdout (steps and settings chosen on a slice held out of train, the scored set read once)",
    "paper": "paper (best epoch, and settings where trials chose them, on the dev set, as the published tables)",
}


def budget_text(budget: Budget) -> str:
    """A budget in a few words, e.g. "10 epochs × batch 32"; budgets that differ in more than max_length read so."""
    length = f"{budget.steps} steps" if budget.steps is not None else f"{budget.epochs} epochs"
    if budget.steps is not None and budget.epochs != Budget().epochs:
        length += f" (epochs {budget.epochs})"  # no effect on the number, but part of the cell's id
    parts = [f"{length} × batch {budget.batch_size}"]
    if budget.evaluations is not None:
        parts.append(f"{budget.evaluations} evaluations")
    if budget.train_rows is not None:
        parts.append(f"{budget.train_rows} train rows")
    if budget.scored_rows is not None:
        parts.append(f"{budget.scored_rows} scored rows")
    if budget.backbone_dropout:
        parts.append("backbone dropout")
    return ", ".join(parts)


def lengths_text(lengths: Mapping[str, Iterable[int]]) -> str:
    """What texts were cut to, per task: "128 tokens (cb, rte), 384 tokens (squad1)"; without tasks when all agree."""
    tasks: dict[int, list[str]] = {}
    for task, found in lengths.items():
        for length in set(found):
            tasks.setdefault(length, []).append(task)
    if len(tasks) == 1:
        return f"{next(iter(tasks))} tokens"
    return ", ".join(f"{length} tokens ({', '.join(sorted(names))})" for length, names in sorted(tasks.items()))


def count_text(count: float) -> str:
    """A number of scalars to three figures: 983040 is "983k", 335000000 is "335M", unknown is "?"."""
    if math.isnan(count):
        return "?"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size * 0.9995:
            digits = 2 if count < 9.995 * size else 1 if count < 99.95 * size else 0
            text = f"{count / size:.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + letter
    return f"{count:.0f}"


def share_text(part: float, whole: float) -> str:
    """A part with its share of the whole, e.g. "983k (0.29 %)"."""
    if math.isnan(part) or math.isnan(whole) or whole <= 0:
        return count_text(part)
    percent = 100 * part / whole
    return f"{count_text(part)} ({percent:.0f} %)" if percent >= 10 else f"{count_text(part)} ({percent:.2g} %)"


def seeds_text(seeds: Iterable[int]) -> str:
    """Seeds with runs shortened: [0, 1, 2, 5] is "0–2, 5"."""
    runs: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def score_text(mean: float, sd: float, num_done: int, num_expected: int) -> str:
    """A table's entry: "57.8 ± 1.2", "57.8" from one seed, "57.8 ± 1.2 (2/3)" when seeds are lacking."""
    text = f"{mean:.1f}" if math.isnan(sd) else f"{mean:.1f} ± {sd:.1f}"
    return text if num_done == num_expected else f"{text} ({num_done}/{num_expected})"


def percent_text(share: float) -> str:
    """A level of an interval: 0.95 is "95 %", 0.99896 is "99.90 %"; as many figures as tell it from 100 %."""
    if math.isnan(share):
        return "?"
    digits = 0 if share <= 0.99 else 1 if share <= 0.999 else 2 if share <= 0.9999 else 3
    return f"{math.floor(100 * share * 10**digits + 1e-6) / 10**digits:.{digits}f} %"


def rate_text(runs: float, collapsed: float, bound: float) -> str:
    """A rate of collapse with its upper bound: "1 of 5, ≤ 66 %"; NaN runs are those of a line at the trivial score."""
    return "all at the trivial score" if math.isnan(runs) else f"{collapsed:.0f} of {runs:.0f}, ≤ {100 * bound:.0f} %"


def natural(text: str) -> str:
    """A key that sorts texts with numbers in them as a reader would: "length=8" before "length=16"."""
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", lambda number: f"{float(number.group()):030.15f}", text)


def model_texts(models: Iterable[str]) -> dict[str, str]:
    """Per model its name without the hub's owner or a path's folders; in full where two would be alike."""
    short = {model: model.rstrip("/").rsplit("/", 1)[-1] or model for model in models}
    times = Counter(short.values())
    return {model: name if times[name] == 1 else model for model, name in short.items()}
