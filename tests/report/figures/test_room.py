"""Nothing drawn runs into anything else or out of its figure, in files and on the page, whatever names and numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from matplotlib.text import Text

from bench.report.figures.ablations import PairPanel, PairRow
from bench.report.figures.curves import Curve, Panel, Point
from bench.report.figures.dumbbells import pair_keys, pair_plots
from bench.report.figures.fronts import front_keys, front_plots
from bench.report.figures.layout import Plot, compose
from bench.report.figures.legend import Key
from bench.report.figures.lines import line_keys, line_plots
from bench.report.figures.pareto import CostPanel, Spot
from bench.report.figures.style import Styles, styles_of
from bench.report.page.figures import LOW, NARROW

METHODS = (
    "finetune", "prompting", "autoprompt", "prompt_tuning", "ptuning_v1", "ptv2", "mpt2", "prefix_tuning", "bitfit",
    "linear_probe", "lora", "a_method (learning_rate=0.005, length=20)",
)  # fmt: skip
SIZES = (4.4e6, 11.2e6, 28.8e6, 41.4e6, 54e6, 67e6, 81.2e6, 109.5e6)
Drawn = tuple[list[Plot], list[Key]]


def styles(methods: tuple[str, ...] = METHODS) -> Styles:
    rows = {"suite": "s", "method": methods, "label": methods, "id": range(len(methods)), "given": [{}] * len(methods)}
    return styles_of(pd.DataFrame(rows))


def scale(
    num_panels: int, methods: tuple[str, ...], models: dict[str, float], absent: int = 0, title: str = ""
) -> Drawn:
    def points(n: int) -> tuple[Point, ...]:
        scores = [(name, size, 50.0 + 3 * at) for at, (name, size) in enumerate(models.items())]
        return tuple(Point(name, size, score + n, score - 2, score + 6) for name, size, score in scores)

    curves = tuple(Curve(method, method, points(n)) for n, method in enumerate(methods))
    missing = tuple(f"point {n}" for n in range(absent))
    name = title or "rte accuracy"
    panels = [Panel(name, curves, 49.7, missing, 99) for _ in range(num_panels)]
    looks = styles().of_curves(curves)
    return line_plots(panels, looks), line_keys(panels, looks)


def swept(values: tuple[float, ...]) -> Drawn:
    curves = (Curve("ptv2", "ptv2", tuple(Point(f"{value:g}", value, 60.0, 55.0, 65.0) for value in values)),)
    panels = [Panel("rte accuracy · roberta-large", curves, 52.7, (), 9, "length (log scale)", True)] * 3
    looks = styles().of_curves(curves)
    return line_plots(panels, looks), line_keys(panels, looks)


def costs(num_spots: int) -> Drawn:
    def spot(n: int) -> Spot:
        method, score, name = METHODS[n % 4], 50.0 + 4 * n, f"a-model-with-a-long-name-{n}"
        return Spot(name, method, method, 3.0 * 1.9**n, score, score - 1, score + 1, 1e6 * (1 + n % 3), True)

    spots = tuple(map(spot, range(num_spots)))
    panels = [CostPanel(f"cost {n}", spots, 48.0, ("one",), from_zero=n == 1) for n in range(3)]
    return front_plots(panels, "mean of rte, boolq, cb", styles()), front_keys(panels, styles())


def pairs() -> Drawn:
    scores = {
        value: Point(value, math.nan, score, score - 5, score + 5)
        for value, score in (("linear", 70.0), ("verbalizer", 73.0))
    }
    rows = tuple(PairRow(f"conll2003 entity_f1 · ptv2 (length={n}, reparam=mlp)", scores, 52.0, ()) for n in range(5))
    panels = [PairPanel("bert-large-cased", rows), PairPanel("roberta-large", rows[:1])]
    return pair_plots(panels), pair_keys(panels, "head")


LONG = "ontonotes_conll2012_english_v12 entity_f1_without_misc · google/bert_uncased_L-12_H-768_A-12"
FEW = {"tiny": 137e3, "mini": 283e3, "small": 612e3}
MANY = {f"bert_uncased_L-{n}_H-768_A-12": size for n, size in enumerate(SIZES)}
FIGURES: dict[str, Drawn] = {
    "three models": scale(1, METHODS[:4], FEW),
    "eight models, twelve methods": scale(1, METHODS, MANY),
    "one model": scale(1, METHODS[:2], {"a-model-with-a-rather-long-name-v2.1": 2e7}),
    "two models of nearly one size": scale(2, METHODS[:2], {"bert-large-cased": 335e6, "roberta-large": 355e6}),
    "24 models": scale(3, METHODS[:3], {f"m{n}": 4e6 * 1.15**n for n in range(24)}, absent=12),
    "seven panels with long titles": scale(7, METHODS[:5], FEW, absent=12, title=LONG),
    "ten values": swept((1, 2, 3, 4, 8, 16, 32, 64, 128, 256)),
    "close values": swept((100, 101, 102, 103)),
    "costs": costs(4),
    "many costs": costs(9),
    "pairs": pairs(),
}


def words(figure: Any) -> list[Text]:
    """All words that are drawn: of the ticks those within the axes' limits."""
    unseen: set[Text] = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
        unseen |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in texts if text not in unseen]


def check(figure: Any) -> None:
    figure.draw_without_rendering()
    whole = figure.bbox.padded(1.0)
    boxes = [(text.get_text(), text.get_window_extent()) for text in words(figure)]
    assert len(boxes) > 5
    outside = [name for name, box in boxes if not (whole.contains(box.x0, box.y0) and whole.contains(box.x1, box.y1))]
    assert outside == []
    meeting = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5
    ]
    assert meeting == []


@pytest.mark.parametrize("name", FIGURES)
def test_no_words_meet_or_are_cut_in_a_file(name: str) -> None:
    check(compose(*FIGURES[name]))


@pytest.mark.parametrize("name", FIGURES)
def test_no_words_meet_or_are_cut_on_a_phone(name: str) -> None:
    plot = FIGURES[name][0][0]
    size = (NARROW, plot.size[1] if plot.broad else LOW)
    check(compose([replace(plot, size=size, title="", remark="", beneath=())]))


def test_a_file_can_be_read_in_a_paper_s_column() -> None:
    """At 3.3 inches, or 6.9 over both columns, type is 6 points or more."""
    for name in ("three models", "costs", "pairs"):
        figure = compose(*FIGURES[name])
        wide = figure.get_size_inches()[0]
        shrunk = min(1.0, (3.3 if wide < 5 else 6.9) / wide)
        assert min(text.get_fontsize() for text in words(figure)) * shrunk >= 5.8, name


def test_the_memory_axis_begins_at_zero() -> None:
    figure = compose(*costs(4))
    by_label = {ax.get_xlabel(): ax for ax in figure.axes}
    assert by_label["cost 1"].get_xlim()[0] == 0
    assert [by_label[name].get_xscale() for name in ("cost 0 (log scale)", "cost 1", "cost 2 (log scale)")] == [
        "log", "linear", "log"
    ]  # fmt: skip
