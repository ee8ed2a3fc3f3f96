"""Text answers: the official SQuAD script's rules by hand, torchmetrics' SQuAD at random, thresholds by trying all."""

from __future__ import annotations

import math
import random

import pytest
from torchmetrics.functional.text import squad

from bench.score.texts import best_null_threshold, normalise
from tests.score.formula import formula

em, f1 = formula("em"), formula("f1")
WORDS = ("the", "The", "a", "an", "red", "Red,", "car", "car.", "ant", "U.S.", "3-4", "", "  ", "x")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Cat", "cat"),
        ("an apple a day", "apple day"),
        ("theatre than another", "theatre than another"),  # articles are whole words
        ("U.S.A.", "usa"),
        ("well-known", "wellknown"),  # punctuation goes without a trace
        ("the-end", "theend"),  # and before articles do
        ("a.n. other", "other"),
        ("1,000", "1000"),
        ("$5 (five)", "5 five"),
        ("ÉCOLE", "école"),  # case is Unicode's, accents stay
        ("1939–45", "1939–45"),  # punctuation is ASCII's: dashes and curly quotes stay
        ("“a”", "“ ”"),  # so that an article beside them is a word
        ("one\u00a0two\t three\n", "one two three"),
        ("The.", ""),
    ],
)
def test_normalisation_is_the_official_scripts(text, normal):
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("found", "answers", "exact", "tokens"),
    [
        ("the Normans", ["Normans"], 1, 1),
        ("norman", ["Normans"], 0, 0),
        ("in the north of France", ["France"], 0, 2 * (1 / 4) / (1 / 4 + 1)),
        ("10th century", ["10th", "the 10th century", "9th"], 1, 1),  # the best of several
        ("10th century France", ["10th", "10th century"], 0, 2 * (2 / 3 * 1) / (2 / 3 + 1)),
        ("red red car", ["red car car"], 0, 2 / 3),  # a word counts as often as on both sides: red and car, once each
        ("car red", ["red car"], 0, 1),  # the order is no matter of F1
        ("", ["France"], 0, 0),
        ("The", ["France"], 0, 0),  # nothing left of it
        ("", [], 1, 1),
        ("France", [], 0, 0),
        ("a", [], 1, 1),  # as the official script: after normalisation it is no answer
        ("", ["the", "France"], 0, 0),  # an answer with nothing left does not count beside others
        ("an", ["the"], 1, 1),  # alone it does, as no answer
    ],
)
def test_exact_match_and_f1_by_the_official_scripts_rules(found, answers, exact, tokens, task, example):
    examples = [example(int(bool(answers)), answers=answers)]
    assert em(task("span"), examples, [found]) == 100 * exact
    assert f1(task("span"), examples, [found]) == pytest.approx(100 * tokens)


@pytest.mark.parametrize("seed", range(20))
def test_exact_match_and_f1_equal_torchmetrics(seed, task, example):
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(0, 3)))

    golds = [[text() for _ in range(rng.randint(0, 3))] for _ in range(40)]
    golds = [[gold for gold in own if normalise(gold)] for own in golds]  # it leaves this step to its caller
    found = [rng.choice(own) if own and rng.random() < 0.3 else text() for own in golds]
    examples = [example(int(bool(own)), answers=own) for own in golds]
    expected = squad(
        [{"id": str(at), "prediction_text": one} for at, one in enumerate(found)],
        [{"id": str(at), "answers": {"text": own or [""], "answer_start": []}} for at, own in enumerate(golds)],
    )
    assert em(task("span"), examples, found) == pytest.approx(float(expected["exact_match"]), rel=1e-6)
    assert f1(task("span"), examples, found) == pytest.approx(float(expected["f1"]), rel=1e-6)
    assert 0 < em(task("span"), examples, found) < 100


def mean_f1(spec, examples, texts, margins, threshold):
    return f1(spec, examples, ["" if margin > threshold else text for text, margin in zip(texts, margins, strict=True)])


@pytest.mark.parametrize("seed", range(30))
def test_no_threshold_is_better_than_the_best_and_none_as_good_is_nearer_to_0(seed, task, example):
    rng = random.Random(seed)
    texts = rng.choices(("red car", "car", "boat", ""), k=12)
    examples = [example(int(bool(own)), answers=own) for own in rng.choices((["red car"], ["car"], []), k=12)]
    shift = rng.choice((-4, 0, 4))  # all answered, some, none when the threshold is 0
    margins = [shift + rng.randint(-3, 3) + rng.choice((0.0, 0.5)) for _ in texts]  # some are equal
    spec = task("span")
    threshold = best_null_threshold(examples, texts, margins)
    tried = {place: mean_f1(spec, examples, texts, margins, place) for place in (min(margins) - 1, 0.0, *margins)}
    best = max(tried.values())
    assert mean_f1(spec, examples, texts, margins, threshold) == pytest.approx(best)
    assert abs(threshold) == min(abs(place) for place, value in tried.items() if value == pytest.approx(best))


@pytest.mark.parametrize(
    ("margins", "right", "threshold"),
    [
        ([1.0, 2.0], [True, True], 2.0),  # answer both
        ([1.0, 2.0], [False, False], 0.0),  # answer none: no lower than needed
        ([-2.0, -1.0], [False, False], -3.0),  # below all of them
        ([-2.0, -1.0], [True, True], 0.0),
        ([-2.0, 2.0], [True, False], 0.0),
        ([1.0, 1.0], [True, False], 0.0),  # equal margins fall together: one right, one wrong, as good as none
        ([math.inf, 1.0], [False, True], 1.0),
        ([math.nan, 1.0, 1.0], [False, True, True], 1.0),
        ([math.inf, -math.inf], [True, True], 0.0),
        ([], [], 0.0),
    ],
)
def test_best_null_threshold(margins, right, threshold, example):
    examples = [example(int(yes), answers=["car"] if yes else []) for yes in right]
    assert best_null_threshold(examples, ["car"] * len(right), margins) == threshold
