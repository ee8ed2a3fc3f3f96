"""What a task's scores say: classes, a candidate, or a piece of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.rows import Item
from bench.score.metrics import named, wanted
from bench.task import Example, Task

N_BEST = 20  # starts and ends that are combined, and spans that are kept, as the official SQuAD baselines do
LONGEST_ANSWER = 30  # tokens
Scores = NDArray[np.float32]  # of one item: (positions, classes or columns)


@dataclass(frozen=True)
class Found:
    """The answer to one example.

    `probabilities` are over `candidates` (a choice's texts, the best spans of a context); where there are none they
    are positions read x classes, flattened. `null_margin` is how much better "no answer" scores than the best span.
    """

    labels: tuple[int, ...] = ()
    text: str = ""
    probabilities: tuple[float, ...] = ()
    candidates: tuple[str, ...] = ()
    null_margin: float | None = None


def answer(task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> Found:
    """The answer of one example from its items and their scores; several only for the windows of a context."""
    if task.kind == "span":
        return _best_span(task, example, items, scores)
    (item,), (own,) = items, scores
    if task.kind == "choice":
        texts = tuple(choice["choice"] for choice in example.choices)
        return Found((int(own[:, 0].argmax()),), probabilities=_softmax(own[:, 0]), candidates=texts)
    labels = [task.outside] * len(example.labels)  # stays for words that were not read
    for place, label in zip(item.places, own.argmax(axis=1).tolist(), strict=True):
        labels[place] = label
    flat = tuple(share for row in own for share in _softmax(row))
    return Found(tuple(labels), probabilities=flat)


def _best_span(task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> Found:
    """The span with the highest start + end score over all windows; "no answer" is [CLS] for both.

    As in the official baselines: the score of no answer is the lowest over the windows, and an answer is at most
    LONGEST_ANSWER tokens long.
    """
    spans: dict[tuple[int, int], float] = {}
    null = min(float(own[0, 0] + own[0, 1]) for own in scores)
    for item, own in zip(items, scores, strict=True):
        for score, first, last in _spans(own[1:, 0], own[1:, 1]):
            key = (item.spans[first][0], item.spans[last][1])
            spans[key] = max(score, spans.get(key, -np.inf))
    ranked = sorted(spans.items(), key=lambda found: (-found[1], found[0]))[:N_BEST]
    context = example.texts["context"]
    texts = [context[first:last].strip() for (first, last), _ in ranked]
    values = [score for _, score in ranked]
    if task.answerless:
        texts, values = [*texts, ""], [*values, null]
    if not ranked:
        return Found(text="", probabilities=(1.0,), candidates=("",), null_margin=0.0)
    shares = _softmax(np.array(values, dtype=np.float32))
    margin = null - ranked[0][1] if task.answerless else None
    return Found(text=texts[0], probabilities=shares, candidates=tuple(texts), null_margin=margin)


def _spans(starts: Scores, ends: Scores) -> list[tuple[float, int, int]]:
    """(score, first token, last token) of the combinations of the best starts and ends that make a span."""
    if not len(starts):
        return []
    best_starts = np.argsort(-starts, kind="stable")[:N_BEST]
    best_ends = np.argsort(-ends, kind="stable")[:N_BEST]
    pairs = [
        (float(starts[first] + ends[last]), int(first), int(last))
        for first in best_starts
        for last in best_ends
        if first <= last < first + LONGEST_ANSWER
    ]
    return pairs or [(float(starts[at] + ends[at]), int(at), int(at)) for at in best_starts]


def _softmax(scores: Scores) -> tuple[float, ...]:
    shares = np.exp(scores - scores.max())
    return tuple((shares / shares.sum()).tolist())


def with_threshold(found: Found, threshold: float) -> str:
    """The text answered when no answer must score better than the best span by more than `threshold`."""
    return "" if found.null_margin is not None and found.null_margin > threshold else found.text


def prediction_table(
    task: Task, examples: Sequence[Example], found: Sequence[Found], answers: Sequence[Sequence[int] | str]
) -> dict[str, list[Any]]:
    """The columns of a record's predictions, a row per example (see bench.store.predictions)."""
    return {
        "id": [example.id for example in examples],
        "group": [example.group for example in examples],
        "query": [example.query for example in examples],
        "label": [wanted(task, example) for example in examples],
        "predicted": [named(task, example, said) for example, said in zip(examples, answers, strict=True)],
        "candidates": [list(each.candidates) for each in found],
        "probabilities": [_kept_shares(task, each) for each in found],
        "null_margin": [each.null_margin for each in found],
    }


def _kept_shares(task: Task, found: Found) -> list[float]:
    """The probabilities a record keeps: of tags only the best class's at each word that was read. All of them would be
    words x classes, gigabytes for a grid of semantic roles.
    """
    if task.kind != "tagging":
        return list(found.probabilities)
    return np.array(found.probabilities).reshape(-1, len(task.classes)).max(axis=1).tolist()  # type: ignore[no-any-return]
