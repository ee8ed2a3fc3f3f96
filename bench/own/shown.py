"""How a user's data was understood, in three lines and what should be known beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bench.data.kind import data_of
from bench.data.mapping import columns_of
from bench.escaping.unseen import in_a_line
from bench.own.inference import OwnTask
from bench.task import Example, Task

MOST_CLASSES = 12  # that are shown with their numbers


def lines(own: OwnTask) -> tuple[str, ...]:
    """What is told before anything is planned."""
    return tuple(in_a_line(line) for line in (_what(own), _splits(own), _left_out(own)) if line)


def _what(own: OwnTask) -> str:
    """`mails: classification of 'body': the class in 'team'; sales 410, support 384 in train`."""
    task, train = own.task, own.splits["train"].examples
    forms = f"{task.plain}{task.pattern}"
    read = {name: task.fields[name] for name in task.fields if f"{{{name}}}" in forms or name in task.facts.inputs}
    texts = ", ".join(f"column {name}" if name.isdecimal() else repr(name) for name in columns_of(read))
    counts = _counts(task, train)
    return f"{task.name}: {task.kind} of {texts}: {own.recognised.label}{f'; {counts} in train' if counts else ''}"


def _counts(task: Task, train: list[Example]) -> str:
    """How many rows of train each class has; of numbers their range."""
    if train and train[0].value is not None:
        values = [example.value for example in train if example.value is not None]
        return f"{min(values):g} to {max(values):g}"
    if not task.classes or task.facts.reads_tokens:
        return ""
    counts = Counter(task.classes[example.labels[0]] for example in train)
    shown = [f"{name} {count}" for name, count in counts.most_common(MOST_CLASSES)]
    more = len(task.classes) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def _splits(own: OwnTask) -> str:
    """`  train 960, scored on dev 240: 20 % of mails.csv, by label, equal texts together, seed 0`."""
    task, source = own.task, own.task.source
    train, scored = (len(own.splits[split].examples) for split in ("train", task.scored))
    if source.division:
        together = f"rows of one {task.clusters} and equal texts" if task.clusters else "equal texts"
        share = f"{100 * scored / max(1, train + scored):.0f} %"
        by_label = "by label, " if any(data_of(task).strata(own.splits["train"].examples[:1])) else ""
        how = f"{share} of {own.lying.called('train')}, {by_label}{together} together, seed {source.division.seed}"
    elif source.split_column:
        how = f"by column {source.split_column!r} of {own.lying.called('train')}"
    else:
        how = own.lying.how
    return f"  train {train:,}, scored on {task.scored} {scored:,}: {how}"


def _left_out(own: OwnTask) -> str:
    parts = []
    if own.num_rows > (own.task.source.most_rows or own.num_rows):
        parts.append(f"all but {own.task.source.most_rows:,} of {own.num_rows:,} rows, drawn by chance (seed 0)")
    for split, read in own.splits.items():
        if split == "train" or not own.task.source.division:
            reasons = {**read.no_example, **read.left_out}
            parts += [f"{count} × {reason}{_of(own, split)}" for reason, count in sorted(reasons.items())]
    return f"  left out: {', '.join(parts)}" if parts else ""


def _of(own: OwnTask, split: str) -> str:
    return "" if own.task.source.division else f" ({split})"


def cautions(own: OwnTask) -> Iterator[str]:
    """What a user may not expect of their data."""
    for line in own.cautions:
        yield in_a_line(f"{own.task.name}: {line}")
