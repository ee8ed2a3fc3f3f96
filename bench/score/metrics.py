"""Scores from 0 to 100 of predictions against labels, both as lists of class indices per example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from bench.errors import unknown
from bench.spec import Example, Task

Labels = Sequence[Sequence[int]]
Span = tuple[int, int, str]  # first word, last word, type


def score(task: Task, examples: Sequence[Example], predicted: Labels) -> dict[str, float]:
    """Every metric of the task."""
    gold = [example.labels for example in examples]
    return {name: find_metric(name)(gold, predicted, task.classes) for name in task.metrics}


def accuracy(gold: Labels, predicted: Labels, classes: Sequence[str]) -> float:
    """Share of labels that are right, over all positions."""
    pairs = [pair for row in zip(gold, predicted, strict=True) for pair in zip(*row, strict=True)]
    return 100 * sum(wanted == found for wanted, found in pairs) / len(pairs)


def macro_f1(gold: Labels, predicted: Labels, classes: Sequence[str]) -> float:
    """Unweighted mean of the classes' F1, a class absent from both counting 0 (scikit-learn's default)."""
    from sklearn.metrics import f1_score

    wanted = [label for row in gold for label in row]
    found = [label for row in predicted for label in row]
    return 100 * float(f1_score(wanted, found, labels=range(len(classes)), average="macro", zero_division=0))


def entity_f1(gold: Labels, predicted: Labels, classes: Sequence[str]) -> float:
    """Micro-averaged F1 of entities (type and both borders right), as the CoNLL evaluation counts them."""
    right = wanted_count = found_count = 0
    for wanted, found in zip(gold, predicted, strict=True):
        wanted_spans = set(spans([classes[label] for label in wanted]))
        found_spans = set(spans([classes[label] for label in found]))
        right += len(wanted_spans & found_spans)
        wanted_count += len(wanted_spans)
        found_count += len(found_spans)
    return 200 * right / (wanted_count + found_count) if wanted_count + found_count else 100.0


def spans(tags: Sequence[str]) -> list[Span]:
    """Entities in a BIO tag sequence. An I- that follows no tag of its type begins one (as conlleval reads it)."""
    found: list[Span] = []
    start: int | None = None
    for at, (before, tag) in enumerate(pairwise(["O", *tags, "O"])):
        prefix, _, kind = tag.partition("-")
        continues = prefix == "I" and before != "O" and before.partition("-")[2] == kind
        if start is not None and not continues:
            found.append((start, at - 1, before.partition("-")[2]))
            start = None
        if prefix != "O" and not continues:
            start = at
    return found


_METRICS: dict[str, Callable[[Labels, Labels, Sequence[str]], float]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "entity_f1": entity_f1,
}


def find_metric(name: str) -> Callable[[Labels, Labels, Sequence[str]], float]:
    if name not in _METRICS:
        raise unknown("metric", name, _METRICS)
    return _METRICS[name]


def trivial(task: Task, train: Sequence[Example], dev: Sequence[Example]) -> dict[str, float]:
    """What the constant answer scores on dev: train's most common class; for tagging, `O` everywhere."""
    if task.kind == "tagging":
        constant = task.outside
    else:
        counts = [0] * len(task.classes)
        for example in train:
            counts[example.labels[0]] += 1
        constant = counts.index(max(counts))
    return score(task, dev, [[constant] * len(example.labels) for example in dev])
