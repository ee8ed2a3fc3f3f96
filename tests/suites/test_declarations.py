"""A Task and a Suite are checked when they are made, in words that name them."""

from __future__ import annotations

from typing import Any

import pytest

from bench.task import Source, Suite, Task

FIELDS: dict[str, Any] = {
    "name": "t", "kind": "classification", "source": Source(), "plain": "{x}", "classes": ("a", "b"),
    "metrics": ("accuracy",),
}  # fmt: skip
SPAN = {"kind": "span", "plain": "", "classes": (), "metrics": ("f1",)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "classifications"}, "unknown kind of task 'classifications'; did you mean 'classification'?"),
        ({"metrics": ()}, "task 't' needs at least one metric"),
        ({"metrics": ("accurac",)}, "unknown metric of a classification task 'accurac'; did you mean 'accuracy'?"),
        ({"metrics": ("accuracy", "pearson")}, "known: accuracy, em, f1, f1a, macro_f1, matthews. Task 't' asks"),
        ({**SPAN, "metrics": ("accuracy",)}, "unknown metric of a span task 'accuracy'; known: em, f1."),
        ({"classes": ("a",)}, "task 't' needs at least two classes"),
        ({"kind": "tagging", "metrics": ("accuracy",)}, "a tagging task lays out its rows itself, without a form"),
        ({**SPAN, "pattern": "{x} [MASK]"}, "a span task lays out its rows itself, without a form"),
        ({"plain": ""}, "task 't' needs a plain form"),
        ({"kind": "choice", "plain": "", "classes": ()}, "task 't' needs a plain form"),
        ({"kind": "regression", "plain": "", "classes": (), "metrics": ("pearson",)}, "task 't' needs a plain form"),
        ({"pattern": "{x} [MASK]", "words": {"a": "yes"}}, "words must name exactly the classes ('a', 'b')"),
        ({"pattern": "{x}", "words": {"a": "y", "b": "n"}}, "a pattern has exactly one [MASK], a form at most one"),
    ],
)  # fmt: skip
def test_a_task_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011, the words are compared below
        Task(**{**FIELDS, **changes})
    assert message in str(error.value)


TASK, OTHER = Task(**FIELDS), Task(**{**FIELDS, "name": "other"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"average": ("others",)},
            "unknown task in the average of suite 's' 'others'; did you mean 'other'? known: other",
        ),
        ({"tasks": (TASK, OTHER, TASK)}, "suite 's' has two tasks called 't'"),
        ({"methods": ("ptv2", " ")}, "suite 's': its methods name a method with an empty text"),
        ({"settings": {"": {}}}, "suite 's': its settings name a method with an empty text"),
        ({"methods": (3,)}, "Input should be a valid string"),
        ({"settings": {3: {}}}, "Input should be a valid string"),
    ],
)
def test_a_suite_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011, the words are compared below
        Suite(**{"name": "s", "tasks": (TASK, OTHER), **changes})
    assert message in str(error.value)
