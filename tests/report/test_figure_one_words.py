"""What results/figure-one/README.md says in tables is what the tables beside it have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

PLACE = Path(__file__).parents[2] / "results" / "figure-one"
METHODS = ("ptv2", "lora", "prompt_tuning", "ptuning_v1")
DIFFERENCE = re.compile(
    r"(?P<of>[−\d.]+) \[(?P<low>[−\d.]+), (?P<high>[−\d.]+)\] (?P<verdict>\w+)(?:, (?P<seeds>\d+) seeds)?"
)
SPREAD = re.compile(r"(?P<mean>[\d.]+) ± (?P<sd>[\d.]+)")
TASKS = {"SST-2": ("sst2", "accuracy"), "CoNLL04": ("conll04", "entity_f1"), "RTE": ("rte", "accuracy")}


def told() -> list[pd.DataFrame]:
    """The tables of the page, their first column as the index."""
    found: list[list[list[str]]] = [[]]
    for line in (PLACE / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            found[-1].append([part.strip() for part in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [pd.DataFrame(rows, columns=header).set_index(header[0]) for header, _, *rows in filter(None, found)]


def table(*columns: str) -> pd.DataFrame:
    """The one with these columns."""
    (only,) = [each for each in told() if list(each.columns) == list(columns)]
    return only


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@cache
def made(name: str, place: str = ".") -> pd.DataFrame:
    return pd.read_csv(PLACE / place / "report" / f"{name}-figure-one.csv")


def differences() -> Iterator[tuple[str, str, str]]:
    """Model, method, and what is said of it on the mean of the tasks."""
    for model, row in table(*METHODS).iterrows():
        yield from ((str(model).partition(",")[0], method, row[method]) for method in METHODS)


@pytest.mark.parametrize(("model", "method", "said"), list(differences()))
def test_differences_intervals_and_verdicts(model: str, method: str, said: str) -> None:
    verdicts = made("verdicts")
    rows = verdicts[(verdicts["task"] == "average") & (verdicts["model"] == model) & (verdicts["label"] == method)]
    (row,) = (each for _, each in rows.iterrows())
    parts = DIFFERENCE.fullmatch(said)
    assert parts is not None, said
    of, low, high = (number(parts[name]) for name in ("of", "low", "high"))
    assert (of, low, high) == pytest.approx((row["difference"], row["tested_low"], row["tested_high"]), abs=0.0501)
    assert (parts["verdict"], int(parts["seeds"] or 5)) == (row["verdict"], row["n_seeds"])


def means() -> Iterator[tuple[str, str, str, str, str]]:
    """Folder, task, metric, label, and what is said of it."""
    of_layers = table("SST-2", "CoNLL04", "RTE")
    for layers, row in of_layers.iterrows():
        label = f"ptv2 (layers={str(layers).replace('–', '-')}, length=20)"
        yield from (("depth", *TASKS[task], label, row[task]) for task in of_layers.columns)
    of_lengths = table("length 4", "8", "16", "32", "64")
    for line, row in of_lengths.iterrows():
        task, _, with_mlp = str(line).partition(", ")
        if task in TASKS:
            for length in of_lengths.columns:
                reparam = "mlp" if with_mlp else "none"
                label = f"ptv2 (length={length.removeprefix('length ')}, reparam={reparam})"
                yield "length", *TASKS[task], label, row[length]


@pytest.mark.parametrize(("place", "task", "metric", "label", "said"), list(means()))
def test_means_and_spreads(place: str, task: str, metric: str, label: str, said: str) -> None:
    scores = made("table", place)
    rows = scores[(scores["task"] == task) & (scores["metric"] == metric) & (scores["label"] == label)]
    (row,) = (each for _, each in rows.iterrows())
    parts = SPREAD.match(said)
    assert parts is not None, said
    assert (number(parts["mean"]), number(parts["sd"])) == pytest.approx((row["mean"], row["sd"]), abs=0.0501)


def test_the_family_is_as_large_and_as_good_as_its_logs_say() -> None:
    family = table("layers × hidden", "parameters", "held-out loss", "seconds")
    assert list(family.index) == ["tiny", "mini", "small", "medium", "base"]
    scores = made("table")
    for name, row in family.iterrows():
        end = pd.read_csv(PLACE / "pretraining" / f"{name}.csv").iloc[-1]
        for column, of_log, digits in (("held-out loss", "held_out_loss", 0.000501), ("seconds", "seconds", 0.501)):
            assert number(row[column]) == pytest.approx(end[of_log], abs=digits)
        assert {int(row["parameters"].replace(",", ""))} == {
            int(size) for size in scores[scores["model"] == name]["backbone_parameters"].dropna()
        }
