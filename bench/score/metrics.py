"""Metrics: scores from 0 to 100 of predictions against examples. All have one signature.

A prediction is, by the task's kind: classification, choice: a list with one number, of a class or candidate; tagging: a
list of class numbers, one per word; span: the text found, "" for no answer. There is at least one example.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from math import fsum

from bench.errors import unknown
from bench.score.spans import Tags, span_f1
from bench.score.texts import exact_match, gold_texts, token_f1
from bench.spec import Example, Kind, Task

Prediction = Sequence[int] | str  # the prediction for one example
Metric = Callable[[Task, Sequence[Example], Sequence[Prediction]], float]


def score(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> dict[str, float]:
    """Every metric of the task. UsageError as `metrics_of`."""
    return {name: metric(task, examples, found) for name, metric in metrics_of(task).items()}


def metrics_of(task: Task) -> dict[str, Metric]:
    """The functions of the task's metrics. UsageError names one that is none or not for a task of this kind."""
    fitting = {name: metric for name, (metric, kinds) in _METRICS.items() if task.kind in kinds}
    for name in task.metrics:
        if name not in fitting:
            raise unknown(f"metric of a {task.kind} task", name, fitting, f"Task {task.name!r} asks for it.")
    return {name: fitting[name] for name in task.metrics}


def find_metric(name: str) -> Metric:
    """The function of that name. UsageError when there is none."""
    if name not in _METRICS:
        raise unknown("metric", name, _METRICS)
    return _METRICS[name][0]


def accuracy(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """Share of labels that are right, over all positions; of a choice, of candidates that are among the right ones."""
    if task.kind == "choice":
        return _mean(_one(answer) in example.labels for example, answer in zip(examples, found, strict=True))
    gold = _flat(example.labels for example in examples)
    return _mean(wanted == got for wanted, got in zip(gold, _flat(found), strict=True))


def macro_f1(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """Unweighted mean of the classes' F1, a class absent from both counting 0 (scikit-learn's default)."""
    from sklearn.metrics import f1_score

    gold = _flat(example.labels for example in examples)
    labels = range(len(task.classes))
    return 100 * float(f1_score(gold, _flat(found), labels=labels, average="macro", zero_division=0))


def f1a(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """F1 of the positive class, the last of `task.classes`, over all answers of all questions (MultiRC's F1a).

    0 when it occurs neither among the labels nor among the predictions.
    """
    positive = len(task.classes) - 1
    wanted = [label == positive for label in _flat(example.labels for example in examples)]
    got = [label == positive for label in _flat(found)]
    right = sum(both == (True, True) for both in zip(wanted, got, strict=True))
    return 200 * right / (sum(wanted) + sum(got)) if right else 0.0


def em(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """Exact match: the share of questions that are answered exactly.

    Classification (MultiRC): all examples with one `query` (of one `group`) are right; an example without a query is a
    question of its own. Choice (ReCoRD) and span (SQuAD): the text is that of an answer, after SQuAD's normalisation.
    """
    if task.kind != "classification":
        return _mean(
            exact_match(_text(example, answer), gold_texts(example))
            for example, answer in zip(examples, found, strict=True)
        )
    right: dict[Hashable, bool] = defaultdict(lambda: True)
    for at, (example, answer) in enumerate(zip(examples, found, strict=True)):
        question = at if example.query is None else (example.group, example.query)
        right[question] &= tuple(answer) == example.labels
    return _mean(right.values())


def f1(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """Mean over questions of the token F1 with the answer that fits best (SQuAD, ReCoRD)."""
    return _mean(
        token_f1(_text(example, answer), gold_texts(example)) for example, answer in zip(examples, found, strict=True)
    )


def entity_f1(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """Micro-averaged F1 of entities (type and both borders right), as the CoNLL evaluation counts them."""
    return span_f1(_gold_tags(task, examples), _tags(task, found))


def argument_f1(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """Micro-averaged F1 of a predicate's arguments: spans of all types but V and C-V, which are the predicate itself.

    The predicate is given, so that its spans would only raise the score. A continued argument (C-) is a span of its
    own, unlike in the official srl-eval.pl, which joins it to its first piece; scores are near, not equal.
    """
    return span_f1(_gold_tags(task, examples), _tags(task, found), leave_out=frozenset({"V", "C-V"}))


def argument_f1_with_v(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
    """The same with V and C-V counted, as some papers report it."""
    return span_f1(_gold_tags(task, examples), _tags(task, found))


_METRICS: dict[str, tuple[Metric, set[Kind]]] = {
    "accuracy": (accuracy, {"classification", "choice", "tagging"}),
    "macro_f1": (macro_f1, {"classification", "tagging"}),
    "f1a": (f1a, {"classification"}),
    "em": (em, {"classification", "choice", "span"}),
    "f1": (f1, {"choice", "span"}),
    "entity_f1": (entity_f1, {"tagging"}),
    "argument_f1": (argument_f1, {"tagging"}),
    "argument_f1_with_v": (argument_f1_with_v, {"tagging"}),
}


def _mean(credits: Iterable[float]) -> float:
    """Credits are from 0 to 1; fsum, so that their order does not matter."""
    given = list(credits)
    return 100 * fsum(given) / len(given)


def _one(answer: Prediction) -> int:
    (number,) = _numbers(answer)
    return number


def _flat(answers: Iterable[Prediction]) -> list[int]:
    return [label for answer in answers for label in _numbers(answer)]


def _numbers(answer: Prediction) -> Sequence[int]:
    assert not isinstance(answer, str)
    return answer


def _text(example: Example, answer: Prediction) -> str:
    return answer if isinstance(answer, str) else example.choices[_one(answer)]["choice"]


def _gold_tags(task: Task, examples: Sequence[Example]) -> Iterable[Tags]:
    return _tags(task, [example.labels for example in examples])


def _tags(task: Task, answers: Iterable[Prediction]) -> Iterable[Tags]:
    return ([task.classes[label] for label in _numbers(answer)] for answer in answers)
