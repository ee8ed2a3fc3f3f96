"""How lines look: one colour and one marker each, and published ones like the measured line that they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.report.figures.curves import Curve
from bench.report.read.names import natural
from bench.report.read.published import counterpart

# Okabe and Ito 2008, "Color universal design", without the yellow that is lost on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")  # a count that shares no factor with the colours': 56 distinct pairs
FILLED: dict[str, Any] = {"mec": "white", "mew": 0.7}  # markers of measured scores
OPEN: dict[str, Any] = {"mfc": "white"}  # and of published ones


@dataclass(frozen=True)
class Style:
    """How a line looks in every panel of a figure."""

    colour: str
    marker: str

    def line(self, published: bool) -> dict[str, Any]:
        """What matplotlib draws it with: measured scores solid, published ones thin and dashed, with open markers."""
        look = {"color": self.colour, "marker": self.marker, "ms": 6}
        if published:
            return look | {"lw": 1.1, "ls": (0, (4, 2.5)), **OPEN}
        return look | {"lw": 1.8, "ls": "-", **FILLED}


def palette(names: Iterable[str]) -> dict[str, Style]:
    """A colour and marker per name, by their order."""
    return {
        name: Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]) for number, name in enumerate(names)
    }


def assign_styles(curves: Iterable[Curve]) -> dict[str, Style]:
    """A colour and marker per line, by the sorted order of the lines that are there.

    A published line looks like its counterpart (read.published), where it has one.
    """
    curves = list(curves)
    measured: dict[str, dict[str, None]] = {}
    for curve in curves:
        if not curve.published:
            measured.setdefault(curve.method, {})[curve.label] = None
    stands_for = {
        curve.label: (counterpart(curve.method, list(measured.get(curve.method, ()))) if curve.published else None)
        or curve.label
        for curve in curves
    }
    look = palette(sorted(set(stands_for.values()), key=natural))
    return {label: look[name] for label, name in stands_for.items()}
