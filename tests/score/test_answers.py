"""From scores to answers: spans by n-best over windows, the threshold of no answer, tags of words not read."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.rows import Item, Row
from bench.score import answers
from bench.score.answers import LONGEST_ANSWER, with_threshold
from bench.score.kind import kind_of
from bench.score.table import prediction_table
from bench.task import Answer, Example, Source, Task

CONTEXT = "aa bb cc dd"
SPANS = [(0, 2), (3, 5), (6, 8), (9, 11)]
TASK = Task(name="s", kind="span", source=Source(), metrics=("f1",))
NULL = TASK.model_copy(update={"answerless": True})
EXAMPLE = Example(
    id="q", texts={"question": "?", "context": CONTEXT}, labels=(1,), answers=(Answer(text="bb", start=3),)
)


def window(spans: list[tuple[int, int]]) -> Item:
    return Item(0, (Row([], [], [], []),), [0] * (len(spans) + 1), [], False, spans)


def scores(starts: list[float], ends: list[float]) -> np.ndarray:
    """Of [CLS] and each token."""
    return np.array([starts, ends], dtype=np.float32).T


def found(task: Task, *windows: tuple[list[tuple[int, int]], list[float], list[float]]):
    items = [window(spans) for spans, _, _ in windows]
    return kind_of(task).answer(task, EXAMPLE, items, [scores(starts, ends) for _, starts, ends in windows])


def test_the_best_start_and_end_in_order_make_the_answer():
    assert found(TASK, (SPANS, [0, 0, 6, 0, 0], [0, 9, 0, 4, 0])).text == "bb cc"  # the best end stands too early


def test_the_best_window_answers():
    first, second = SPANS[:2], SPANS[2:]
    assert found(TASK, (first, [0, 1, 0], [0, 1, 0]), (second, [0, 0, 3], [0, 0, 3])).text == "dd"


def test_a_span_seen_in_two_windows_counts_once_with_its_better_score():
    both = found(TASK, (SPANS[:2], [0, 0, 2], [0, 0, 2]), (SPANS[1:], [0, 3, 0, 0], [0, 3, 0, 0]))
    assert both.candidates.count("bb") == 1
    assert both.candidates[0] == "bb"


def test_without_answerless_questions_cls_never_answers():
    one = found(TASK, (SPANS, [99, 0, 1, 0, 0], [99, 0, 1, 0, 0]))
    assert (one.text, one.null_margin) == ("bb", None)
    assert "" not in one.candidates


def test_no_answer_scores_the_lowest_cls_of_all_windows():
    one = found(NULL, (SPANS[:2], [5, 1, 0], [5, 1, 0]), (SPANS[2:], [3, 0, 0], [2, 0, 0]))
    assert one.null_margin == pytest.approx(5 - 2)
    assert one.candidates[-1] == ""


def test_an_answer_is_no_longer_than_the_limit():
    context = " ".join(["a"] * 50)
    spans = [(2 * at, 2 * at + 1) for at in range(50)]
    example = EXAMPLE.model_copy(update={"texts": {"question": "?", "context": context}})
    starts, ends = np.zeros(51, np.float32), np.zeros(51, np.float32)
    starts[1], ends[50], ends[3] = 9, 9, 1
    one = kind_of(TASK).answer(TASK, example, [window(spans)], [np.stack([starts, ends], axis=1)])
    assert all(text.count("a") <= LONGEST_ANSWER for text in one.candidates)
    assert one.text == "a a a"


def test_a_context_without_tokens_is_answered_with_nothing():
    assert found(NULL, ([], [1.0], [1.0])).text == ""


@pytest.mark.parametrize(("threshold", "text"), [(2.9, ""), (3.0, "bb")])
def test_no_answer_must_beat_the_threshold(threshold, text):
    one = found(NULL, (SPANS, [3, 0, 1.5, 0, 0], [3, 0, 1.5, 0, 0]))
    assert one.null_margin == pytest.approx(3.0)
    assert with_threshold(one, threshold) == text


def test_words_that_were_not_read_are_outside():
    task = Task(name="t", kind="tagging", source=Source(), classes=("B-X", "O"), metrics=("entity_f1",))
    example = Example(id="0", words=("a", "b", "c"), labels=(0, 0, 0))
    item = Item(0, (Row([], [], [], []),), [0, 0], [0, 2], True)
    one = kind_of(task).answer(task, example, [item], [np.array([[2.0, 1.0], [2.0, 1.0]], np.float32)])
    assert one.labels == (0, 1, 0)
    assert len(one.probabilities) == 4
    (kept,) = prediction_table(task, [example], [one], [one.labels])["probabilities"]
    assert kept == pytest.approx([0.7310586, 0.7310586])  # the best class's at each of the two words that were read


def test_predictions_are_named_in_the_words_of_the_task():
    task = Task(name="c", kind="choice", source=Source(), plain="{choice}", metrics=("accuracy",))
    example = Example(id="7", choices=({"choice": "left"}, {"choice": "right"}), labels=(0, 1), group="g")
    one = kind_of(task).answer(
        task, example, [Item(0, (), [1, 1], [0, 1], False)], [np.array([[1.0], [2.0]], np.float32)]
    )
    table = prediction_table(task, [example], [one], [[1]])
    assert {name: values[0] for name, values in table.items() if name != "probabilities"} == {
        "id": "7", "group": "g", "query": None, "label": ["left", "right"], "predicted": ["right"],
        "candidates": ["left", "right"], "null_margin": None,
    }  # fmt: skip
    assert table["probabilities"][0] == pytest.approx([0.2689414, 0.7310586])


def test_starts_and_ends_are_combined_as_one_by_one_in_float32():
    """The baselines' loop over the best 20 of each."""
    draw = np.random.default_rng(0)
    for length in (0, 1, 2, 19, 45, 130):
        values = draw.integers(-4, 5, size=(length, 2)).astype(np.float32) + draw.random((length, 2), np.float32)
        starts, ends = values[:, 0], values[:, 1]
        best = [np.argsort(-column, kind="stable")[:20] for column in (starts, ends)]
        loop = [(first, last) for first in best[0] for last in best[1] if 0 <= last - first < LONGEST_ANSWER]
        loop = loop or [(at, at) for at in best[0]]
        assert answers._spans(starts, ends) == [
            (float(starts[first] + ends[last]), first, last) for first, last in loop
        ]


def test_rows_of_scores_have_the_probabilities_of_each_row():
    rows = np.random.default_rng(1).normal(size=(7, 11)).astype(np.float32)
    assert answers.softmax(rows) == tuple(share for row in rows for share in answers.softmax(row))
    assert answers.softmax(rows[:0]) == ()
