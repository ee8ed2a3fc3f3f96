"""What a step was measured to cost, how much of it is arithmetic, and the tables of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tests.perf.random_models import num_inner_parameters

COLUMNS = (
    "method", "arm", "ms a step of a cell", "blocks", "× best Trainer", "real tokens/s", "of peak", "peak GB",
    "reserved GB", "s before", "steps", "setting",
)  # fmt: skip
AIMS: dict[str, dict[str, tuple[float, float | None]]] = {  # times the best Trainer: alone, twenty cells together
    "ptv2": {"23m": (8, 25), "110m": (4, 12), "335m": (3, 7)},
    "lora": {"23m": (4, 10), "110m": (2, 5), "335m": (1.5, 3)},
    "finetune": {"23m": (2, None), "110m": (1.5, None), "335m": (1.3, None)},
}
TOGETHER = 20  # lanes: 5 seeds × 4 learning rates
SHARE_AIM = ("ptv2", "335m", 0.25)  # of the matrix peak, twenty cells


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: `kind` is "trainer", "alone" or "together", `lanes` the cells of its loop."""

    model: str
    method: str
    kind: str
    name: str
    setting: str
    lanes: int = 1


@dataclass(frozen=True)
class Figure:
    """What an arm came to: seconds, bytes; or the reason why it came to nothing."""

    arm: Arm
    seconds: float = 0.0  # a step of one cell
    seconds_by_block: Sequence[float] = ()
    seconds_before: float = 0.0
    steps: int = 0
    tokens_per_second: float = 0.0
    peak_share: float = 0.0
    peak_bytes: int = 0
    reserved_bytes: int | None = None  # None on a CPU
    note: str = ""  # what was found out about its setting
    reason: str = ""


@dataclass(frozen=True)
class Work:
    """The arithmetic of a layout on rows of these lengths (in tokens), and of the device: multiply-adds count two."""

    config: Any
    lengths: Sequence[int]
    prefix: int
    peak: float  # FLOP/s of a matrix product

    def flops_per_token(self, method: str) -> float:
        """Of a real token forwards and backwards: no padding, no embeddings, no head.

        4·N where the backbone is frozen, since gradients go through its weights and not into them, else 6·N. Attention
        has two products, each with two of its size in the backward pass; a causal token sees half of its row.
        """
        config = self.config
        keys = sum(length * length for length in self.lengths) / sum(self.lengths)  # of a token's row, on average
        keys = keys / (2 if config.model_type == "llama" else 1) + (self.prefix if method == "ptv2" else 0)
        attention: float = 12 * config.num_hidden_layers * config.hidden_size * keys
        return (6 if method == "finetune" else 4) * num_inner_parameters(config) + attention

    @property
    def tokens_per_row(self) -> float:
        return sum(self.lengths) / len(self.lengths)


def matrix_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a square product, the best of some: 8192³ on a GPU, 2048³ on a CPU."""
    size = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    fastest = float("inf")
    for _ in range(20 if device.type == "cuda" else 3):
        _wait(device)
        started = time.perf_counter()
        left @ right
        _wait(device)
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * size**3 / fastest


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def header() -> str:
    return f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"


def line(figure: Figure, reference: float | None) -> str:
    """A row of a model's table; `reference` is the best Trainer's seconds."""
    arm, setting = figure.arm, ", ".join(filter(None, (figure.arm.setting, figure.note)))
    if figure.reason:
        return _row(arm.method, arm.name, "–", *[""] * (len(COLUMNS) - 5), figure.reason, setting)
    low, high = min(figure.seconds_by_block), max(figure.seconds_by_block)
    reserved = "" if figure.reserved_bytes is None else f"{figure.reserved_bytes / 1e9:.2f}"
    return _row(
        arm.method, arm.name, f"{figure.seconds * 1e3:.2f}", f"{low * 1e3:.2f}–{high * 1e3:.2f}",
        f"{reference / figure.seconds:.2f}" if reference else "", f"{figure.tokens_per_second:,.0f}",
        f"{figure.peak_share:.1%}", f"{figure.peak_bytes / 1e9:.2f}", reserved, f"{figure.seconds_before:.1f}",
        str(figure.steps), setting,
    )  # fmt: skip


def _row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def best_trainer(figures: Iterable[Figure], model: str, method: str) -> float | None:
    """Seconds of the fastest of Trainer's settings; None where none was measured."""
    of_trainer = [figure.seconds for figure in figures if figure.arm.kind == "trainer" and not figure.reason
                  and (figure.arm.model, figure.arm.method) == (model, method)]  # fmt: skip
    return min(of_trainer, default=None)


def aims(figures: Sequence[Figure]) -> list[str]:
    """The aims beside what was measured, as rows of Markdown; those of arms that were not measured are left out."""
    rows = ["| aim | wanted | measured | |", "| --- | --- | --- | --- |"]
    for figure in figures:
        arm = figure.arm
        alone, together = AIMS.get(arm.method, {}).get(arm.model, (None, None))
        wanted = {("alone", 1): alone, ("together", TOGETHER): together}.get((arm.kind, arm.lanes))
        best = best_trainer(figures, arm.model, arm.method)
        if wanted is None or best is None:
            continue
        name = f"{arm.method}, {arm.model}, {arm.name}"
        times = best / figure.seconds if figure.seconds else 0.0
        rows.append(_judged(f"{name}, × best Trainer", wanted, times, "{:.2f}"))
        if (arm.method, arm.model, arm.kind) == (*SHARE_AIM[:2], "together"):
            rows.append(_judged(f"{name}, share of the matrix peak", SHARE_AIM[2], figure.peak_share, "{:.1%}"))
    return rows


def _judged(name: str, wanted: float, measured: float, form: str) -> str:
    verdict = "met" if measured >= wanted else "missed"
    return _row(name, f"≥ {form.format(wanted)}", form.format(measured) if measured else "–", verdict)


def growth(figures: Sequence[Figure]) -> list[str]:
    """How a step of the loop grows with its lanes, as rows of Markdown."""
    rows = ["| lanes | ms a step of all | × one lane | ms a step of a cell | peak GB |", "| --- |" + " --- |" * 4]
    first = next((figure.seconds for figure in figures if figure.arm.lanes == 1 and figure.seconds), None)
    for figure in figures:
        if figure.reason:
            rows.append(_row(str(figure.arm.lanes), "–", "", "", figure.reason))
            continue
        whole = figure.seconds * figure.arm.lanes
        times = f"{whole / first:.2f}" if first else ""
        of_cell, peak = f"{figure.seconds * 1e3:.2f}", f"{figure.peak_bytes / 1e9:.2f}"
        rows.append(_row(str(figure.arm.lanes), f"{whole * 1e3:.2f}", times, of_cell, peak))
    return rows
