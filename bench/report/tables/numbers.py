"""How numbers read in tables, captions and figures: counts, shares, scores, levels, rates."""

from __future__ import annotations

import math


def count_text(count: float) -> str:
    """A number of scalars to three figures: 983040 is "983k", 335000000 is "335M", unknown is "?"."""
    if math.isnan(count):
        return "?"
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size * 0.9995:
            return _three_figures(count / size) + letter
    return f"{count:.0f}"


def share_text(part: float, whole: float) -> str:
    """A part with its share of the whole, e.g. "983k (0.29 %)"."""
    if math.isnan(part) or math.isnan(whole) or whole <= 0:
        return count_text(part)
    percent = 100 * part / whole
    return f"{count_text(part)} ({percent:.0f} %)" if percent >= 10 else f"{count_text(part)} ({percent:.2g} %)"


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
    """A rate of collapse with its upper bound: "1 of 5, ≤ 66 %"; NaN runs are those of a line at the trivial score, and
    of one that is not finished there are none.
    """
    if not runs:
        return "no finished run"
    return "all at the trivial score" if math.isnan(runs) else f"{collapsed:.0f} of {runs:.0f}, ≤ {100 * bound:.0f} %"


def bytes_text(count: float) -> str:
    """A size to three figures, in powers of 1000: 10760 is "10.8 kB", 2147483648 is "2.15 GB", unknown is "?"."""
    if math.isnan(count):
        return "?"
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size * 0.9995:
            return f"{_three_figures(count / size)} {unit}"
    return f"{count:.0f} B"


def seconds_text(seconds: float) -> str:
    """A time to two or three figures: "4.2 s", "250 s", "12 min", "3.4 h", unknown is "?"."""
    if math.isnan(seconds):
        return "?"
    if seconds < 299.5:
        return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{_three_figures(seconds / 3600)} h"


def _three_figures(number: float) -> str:
    """From 1 up; without zeros that say nothing."""
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
