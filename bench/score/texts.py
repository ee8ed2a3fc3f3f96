"""Answers as text, by the rules of SQuAD 2.0's official script (Rajpurkar et al. 2018, arXiv:1806.03822).

The scripts of SQuAD 1.1 and of ReCoRD differ only where a text is nothing but articles and punctuation: they keep such
a right answer beside others, and give it a token F1 of 0 even when it is found.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from bench.task import Example

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)  # ASCII only: dashes and curly quotes stay
_SAME = 1e-9  # sums of F1 closer than this are equal but for rounding


@lru_cache(maxsize=1 << 16)  # candidates and answers come up again and again
def normalise(text: str) -> str:
    """Lower case, without punctuation and then without articles, words one space apart."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def gold_texts(right: Sequence[str]) -> list[str]:
    """The texts of the right answers (of a choice without answers, of the right candidates), normalised.

    Answers of which nothing is left do not count beside others; when none is left, or the question has no answer, it
    is the empty string, which only an empty text matches.
    """
    return [gold for gold in map(normalise, right) if gold] or [""]


def exact_match(text: str, golds: Sequence[str]) -> float:
    """1 when the text, normalised, is one of `golds` (as `gold_texts` gives them), else 0."""
    return float(normalise(text) in golds)


def token_f1(text: str, golds: Sequence[str]) -> float:
    """The best F1, from 0 to 1, of the text's words against those of one of `golds` (as `gold_texts` gives them).

    Words count as often as they occur. No words on one side: 1 when there are none on the other either, else 0.
    """
    words = normalise(text).split()
    return max(_overlap(words, gold.split()) for gold in golds)


def _overlap(predicted: list[str], gold: list[str]) -> float:
    if not predicted or not gold:
        return float(predicted == gold)
    if {*predicted}.isdisjoint(gold):  # as most wrong answers are; counting takes ten times as long
        return 0.0
    common = (Counter(predicted) & Counter(gold)).total()
    return 2 * common / (len(predicted) + len(gold))


def best_null_threshold(examples: Sequence[Example], texts: Sequence[str], null_margins: Sequence[float]) -> float:
    """The threshold on null margins with the best mean F1: above it a question is answered "", else with its text.

    A null margin is the score of "no answer" less that of the best span, `texts` are these spans; one of each per
    example. Candidates are 0, every margin, and a value below them all (no question gets its text); of equally good
    ones it is that nearest to 0. Always finite. A margin that is no number is above no threshold: always answered.

    One sorted sweep, O(n log n), as find_best_thresh of the official script; but here equal margins stay together, and
    "answer nothing" has a threshold that does so, where the script returns 0 whatever the margins.
    """
    gains = []  # of answering with the text, over answering ""
    for example, text in zip(examples, texts, strict=True):
        golds = gold_texts([answer.text for answer in example.answers])
        gains.append(token_f1(text, golds) - token_f1("", golds))
    margins = np.asarray(null_margins, dtype=float)
    margins = np.where(np.isnan(margins), -np.inf, margins)
    finite = margins[np.isfinite(margins)]
    below = [finite.min() - 1] if len(finite) else []
    candidates = np.unique([*below, 0.0, *finite])
    order = np.argsort(margins, kind="stable")
    totals = np.concatenate(([0.0], np.cumsum(np.asarray(gains)[order])))  # totals[k]: the k smallest margins answered
    scores = totals[np.searchsorted(margins[order], candidates, side="right")]
    best = candidates[scores >= scores.max() - _SAME]
    return float(best[np.abs(best).argmin()])
