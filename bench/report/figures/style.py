"""How lines look, decided once for a whole report: colour and marker by method, shade by setting, dash by family.

A method has its colour and its marker in every figure, table and list of a report. Its lines with several settings have
shades of that colour and, where all models are of one family, dashes; with several families the dash is the family's.
A point, which has no dash, has a part of its marker filled instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.figures.curves import Curve
from bench.report.read.names import natural
from bench.report.read.published import counterpart
from bench.report.read.sweeps import shown_lines

# Each at 3:1 or more on white and told from the others by those who see two colours alone (tests/report/figures); the
# first four are from Okabe and Ito 2008, "Color universal design".
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A1143", "#4B3FD0", "#5F4A12")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")  # a count that shares no factor with the colours': 56 distinct pairs
INK = "#000000"
GREY = "#6b6b6b"
SHADES = (0.0, 0.36, 0.62)  # shares of ink in a line's colour
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (7, 1.6, 1.2, 1.6)))  # no factor with the shades
FILLS = ("full", "left", "bottom", "right")  # parts of a point's marker, as many as dashes
CHOICE_MARKERS = ("d", "h", "*", ">", "p", "8")  # of a setting's values, which are no methods
CHOICE_COLOURS = (INK, "#8a8a8a")
FILLED: dict[str, Any] = {"mec": "white", "mew": 0.7}  # markers of measured scores
OPEN: dict[str, Any] = {"mfc": "white"}  # and of published ones


@dataclass(frozen=True)
class Style:
    """How a line looks: its colour with so much ink in it, its marker, its dash in matplotlib's words."""

    base: str
    marker: str
    shade: float = 0.0
    dash: Any = "-"

    @property
    def colour(self) -> str:
        """The shade itself, "#rrggbb"."""
        return inked(self.base, self.shade)

    @property
    def fill(self) -> str:
        """Which part of a point's marker is filled, in matplotlib's words."""
        return FILLS[DASHES.index(self.dash)] if self.dash in DASHES else FILLS[0]

    def line(self, published: bool = False) -> dict[str, Any]:
        """What matplotlib draws it with: measured scores with full markers, published ones thin, with open markers."""
        look = {"color": self.colour, "marker": self.marker, "ms": 5.5, "ls": self.dash}
        return look | ({"lw": 1.0, **OPEN} if published else {"lw": 1.7, **FILLED})

    def point(self, published: bool = False) -> dict[str, Any]:
        """The same without a line."""
        look = self.line(published) | {"ls": "", "mew": 1.0}
        if published or self.fill == FILLS[0]:
            return look
        return look | {"fillstyle": self.fill, "markerfacecoloralt": "white", "mec": self.colour}


@dataclass(frozen=True)
class Styles:
    """The looks of a report: the places of its methods, of each method's lines by their labels, and of families."""

    methods: Mapping[str, int]
    lines: Mapping[tuple[str, str], int]
    families: Mapping[str, int]

    def style_of(self, method: str, family: str = "", setting: str = "") -> Style:
        """The look of a method's line with the label `setting` on the models of a family."""
        return self._look(method, family, self.lines.get((method, setting), 0))

    def of_curves(self, curves: Iterable[Curve]) -> dict[tuple[str, str], Style]:
        """Per label and family of a figure's lines their look.

        Lines that the report does not know by their labels (those of swept settings) are told apart within the figure.
        A published line looks like its counterpart (read.published), where it has one.
        """
        curves = list(curves)
        stands_for = {(curve.label, curve.family): _stands_for(curve, curves) for curve in curves}
        places = self._places({(curve.method, stands_for[curve.label, curve.family]) for curve in curves})
        return {
            (curve.label, curve.family): self._look(
                curve.method, curve.family, places[curve.method, stands_for[curve.label, curve.family]]
            )
            for curve in curves
        }

    def _places(self, lines: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        by_method: dict[str, list[str]] = {}
        for method, label in sorted(lines, key=lambda line: natural(line[1])):
            by_method.setdefault(method, []).append(label)
        places = {}
        for method, labels in by_method.items():
            known = all((method, label) in self.lines for label in labels)
            for place, label in enumerate(labels):
                places[method, label] = self.lines[method, label] if known else place
        return places

    def _look(self, method: str, family: str, place: int) -> Style:
        at = self.methods.get(method, len(self.methods))
        dash = self.families.get(family, 0) if len(self.families) > 1 else place
        return Style(
            COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)], SHADES[place % len(SHADES)],
            DASHES[dash % len(DASHES)],
        )  # fmt: skip


def styles_of(
    frame: pd.DataFrame,
    published: Iterable[str] = (),
    families: Sequence[str] = (),
    references: Collection[str] = (),
) -> Styles:
    """The looks of a report with these rows (read.frame): methods by name, a method's lines by their labels.

    The line that stands for its method where figures show one of each has the colour itself. Methods that are only
    `published` come after those that were measured; `families` are those of the models, `references` the lines that
    others are compared with.
    """
    first = {label for _, of_suite in frame.groupby("suite") for label in shown_lines(of_suite, references, most=0)[0]}
    labels = frame[["method", "label"]].drop_duplicates()
    lines: dict[tuple[str, str], int] = {}
    for method, of_method in labels.groupby("method"):
        in_order = sorted(of_method["label"], key=lambda label: (label not in first, natural(label)))
        lines |= {(str(method), label): place for place, label in enumerate(in_order)}
    measured = sorted(set(labels["method"]))
    names = [*measured, *sorted(set(published) - set(measured))]
    return Styles(_numbered(names), lines, _numbered(families))


def choice_styles(values: Sequence[str]) -> dict[str, Style]:
    """The looks of a setting's values where colours and markers do not mean methods: ink and grey, other markers."""
    return {
        value: Style(CHOICE_COLOURS[at % len(CHOICE_COLOURS)], CHOICE_MARKERS[at % len(CHOICE_MARKERS)])
        for at, value in enumerate(values)
    }


def inked(colour: str, share: float) -> str:
    """A colour with a share of black in it."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part * (1 - share)):02X}" for part in parts)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _stands_for(curve: Curve, curves: Sequence[Curve]) -> str:
    """The measured line that a published one looks like; of others their own label."""
    if not curve.published:
        return curve.label
    measured = {other.label: None for other in curves if not other.published and other.method == curve.method}
    return counterpart(curve.looks_like or curve.method, list(measured)) or curve.label
