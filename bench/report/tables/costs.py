"""The table of what cells cost: how fast they trained, how busy the device was, and where the time went."""

from __future__ import annotations

import math

import pandas as pd

from bench.escaping.file_names import file_part
from bench.report.read.alone import MEASURED, PREDICTED
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names, natural
from bench.report.tables.table import Table

UNKNOWN = "–"
PARTS = {
    "load_seconds": "loading", "encode_seconds": "encoding", "compile_seconds": "compiling",
    "train_seconds": "training", "evaluate_seconds": "evaluation", "store_seconds": "storing",
}  # column of the frame -> what took the time, in the order of a run  # fmt: skip
HEADER = (
    "model", "method", "tokens/s", "utilisation", "seconds a cell", "compile seconds",
    *(f"{part} %" for part in PARTS.values()),
)  # fmt: skip
NOTES = (
    "Tokens/s: real tokens and prompt slots through the backbone while training, in a cell's part of its loop. "
    "Utilisation: the operations that the model's arithmetic needs for them (model FLOPs), as a share of what the "
    "device's fastest matrix product does in that time; padding, and what is calculated again, is not counted.",
    "Shares of a finished cell's whole time, all its tasks and seeds taken together; loading and encoding are divided "
    "among the cells that share a backbone and data, and what lacks to 100 % is building and checking. Trials, and "
    f"first stages over several data sets, come on top. {UNKNOWN}: not measured, or nothing trained.",
)
NUMBERS = (
    "suite", "model", "label", "cells", "tokens_per_second", "utilization", "seconds", *PARTS, "alone",
    "alone_seconds", "alone_peak_bytes",
)  # fmt: skip


def costs_table(frame: pd.DataFrame, suite: str) -> Table | None:
    """What the finished cells of a suite cost, a row per model and line; None when none is finished.

    Its CSV has the mean seconds a cell, and what a training takes alone; records that are older than a measurement have
    no part in its number.
    """
    cells = frame[(frame["suite"] == suite) & (frame["status"] == "done")].drop_duplicates("id")
    if cells.empty:
        return None
    models = model_names(cells["model"])
    sizes = model_sizes(cells).fillna(math.inf)
    rows, numbers = [], []
    lines = {(str(model), str(label)): of_line for (model, label), of_line in cells.groupby(["model", "label"])}
    for model, label in sorted(lines, key=lambda line: (sizes[line[0]], line[0], natural(line[1]))):
        of_line = lines[model, label]
        means = _means(of_line)
        numbers.append(
            {"suite": suite, "model": model, "label": label, "cells": len(of_line), **means, **_alone(of_line)}
        )
        rows.append((models[model], label, *_texts(means)))
    return Table(
        f"costs-{file_part(suite)}", "Costs", HEADER, tuple(rows), NOTES, suite, num_words=2, heading_level=2,
        numbers=pd.DataFrame(numbers, columns=list(NUMBERS)),
    )  # fmt: skip


def _means(cells: pd.DataFrame) -> dict[str, float]:
    """Mean seconds a cell and in each part, and what was reached in all seconds of training; NaN: nowhere measured.

    Where some cells say into which parts their seconds fall and some do not, those that do stand for all.
    """
    told = cells[cells["load_seconds"].notna()]
    whole = told if len(told) else cells
    means = {name: float(whole[name].mean()) for name in ("seconds", *PARTS)}
    return {
        "tokens_per_second": _rate(cells, "tokens_per_second"),
        "utilization": _rate(cells, "utilization"),
        **means,
    }


def _alone(cells: pd.DataFrame) -> dict[str, float | str]:
    """Seconds of a training alone and its memory (read.alone), `measured` where those of all cells are."""
    return {
        "alone": MEASURED if (cells["alone"] == MEASURED).all() else PREDICTED,
        "alone_seconds": float(cells["alone_seconds"].mean()),
        "alone_peak_bytes": float(cells["alone_peak_bytes"].max()),
    }


def _rate(cells: pd.DataFrame, name: str) -> float:
    """A rate over the training seconds of all cells that know it."""
    known = cells[cells[name].notna() & (cells["train_seconds"] > 0)]
    seconds = float(known["train_seconds"].sum())
    return float((known[name] * known["train_seconds"]).sum()) / seconds if seconds else math.nan


def _texts(means: dict[str, float]) -> tuple[str, ...]:
    told = not math.isnan(means["load_seconds"]) and means["seconds"] > 0
    shares = [_number(100 * means[name] / means["seconds"], ".0f") if told else UNKNOWN for name in PARTS]
    return (
        _number(means["tokens_per_second"], ",.0f"), _number(100 * means["utilization"], ".2g", " %"),
        _number(means["seconds"] or math.nan, ",.1f"), _number(means["compile_seconds"], ",.1f"), *shares,
    )  # fmt: skip


def _number(value: float, form: str, unit: str = "") -> str:
    return UNKNOWN if math.isnan(value) else f"{value:{form}}{unit}"
