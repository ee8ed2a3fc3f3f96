"""What a task's scores say: classes, a candidate, a piece of text, or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.rows import Item
from bench.task import Example, Task

N_BEST = 20  # starts and ends that are combined, and spans that are kept, as the official SQuAD baselines do
LONGEST_ANSWER = 30  # tokens
Scores = NDArray[np.float32]  # of one item: (positions, classes or columns)


@dataclass(frozen=True)
class ScoredAnswer:
    """The answer to one example, with its probabilities.

    `probabilities` are over `candidates` (a choice's texts, the best spans of a context); where there are none they
    are positions read x classes, flattened. `null_margin` is how much better "no answer" scores than the best span.
    `places` are the words that were read (tagging), or the characters at which the best span begins and ends.
    """

    labels: tuple[int, ...] = ()
    text: str = ""
    value: float | None = None
    probabilities: tuple[float, ...] = ()
    candidates: tuple[str, ...] = ()
    null_margin: float | None = None
    places: tuple[int, ...] = ()


def labels_at(task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
    """The best class at each position read of an example's one item; what was not read is outside."""
    (item,), (by_position,) = items, scores
    labels = [task.outside] * len(example.labels)
    for place, label in zip(item.places, by_position.argmax(axis=1).tolist(), strict=True):
        labels[place] = label
    return ScoredAnswer(tuple(labels), probabilities=softmax(by_position), places=tuple(item.places))


def best_span(task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
    """The span with the highest start + end score over all windows; "no answer" is [CLS] for both.

    As in the official baselines: the score of no answer is the lowest over the windows, and an answer is at most
    LONGEST_ANSWER tokens long.
    """
    spans: dict[tuple[int, int], float] = {}
    null = min(float(window[0, 0] + window[0, 1]) for window in scores)
    for item, window in zip(items, scores, strict=True):
        for score, first, last in _spans(window[1:, 0], window[1:, 1]):
            key = (item.spans[first][0], item.spans[last][1])
            spans[key] = max(score, spans.get(key, -np.inf))
    ranked = sorted(spans.items(), key=lambda scored: (-scored[1], scored[0]))[:N_BEST]
    context = example.texts["context"]
    texts = [context[first:last].strip() for (first, last), _ in ranked]
    values = [score for _, score in ranked]
    if task.answerless:
        texts, values = [*texts, ""], [*values, null]
    if not ranked:
        return ScoredAnswer(text="", probabilities=(1.0,), candidates=("",), null_margin=0.0)
    shares = softmax(np.array(values, dtype=np.float32))
    margin = null - ranked[0][1] if task.answerless else None
    (first, last), _ = ranked[0]
    begin = first + len(context[first:last]) - len(context[first:last].lstrip())
    return ScoredAnswer(
        text=texts[0], probabilities=shares, candidates=tuple(texts), null_margin=margin,
        places=(begin, begin + len(texts[0])),
    )  # fmt: skip


def _spans(starts: Scores, ends: Scores) -> list[tuple[float, int, int]]:
    """(score, first token, last token) of the combinations of the best starts and ends that make a span."""
    if not len(starts):
        return []
    best_starts = np.argsort(-starts, kind="stable")[:N_BEST]
    best_ends = np.argsort(-ends, kind="stable")[:N_BEST]
    length = best_ends[None, :] - best_starts[:, None]
    at_start, at_end = np.nonzero((length >= 0) & (length < LONGEST_ANSWER))
    first, last = best_starts[at_start], best_ends[at_end]
    if not len(first):
        first = last = best_starts
    return list(zip((starts[first] + ends[last]).tolist(), first.tolist(), last.tolist(), strict=True))


def plain(share: float) -> float:
    """A single-precision number as the shortest one that is written for it."""
    return float(str(np.float32(share)))


def softmax(scores: Scores) -> tuple[float, ...]:
    """The probabilities of scores (C,), or of rows of them (R, C), one row after the other."""
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return tuple((shares / shares.sum(axis=-1, keepdims=True)).ravel().tolist())


def with_threshold(answer: ScoredAnswer, threshold: float) -> str:
    """The text answered when no answer must score better than the best span by more than `threshold`."""
    return "" if answer.null_margin is not None and answer.null_margin > threshold else answer.text
