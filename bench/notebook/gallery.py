"""Several things by name that a notebook shows one below the other: tables, figures."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from markupsafe import Markup

from bench.report.figures.captioned import CaptionedFigure
from bench.report.figures.layout import render


class Shown(Protocol):
    """What a notebook shows as HTML."""

    def _repr_html_(self) -> str: ...


Each = TypeVar("Each", bound=Shown)


class Gallery(dict[str, Each]):
    """By name; the last value of a notebook's cell, it shows all of them."""

    def _repr_html_(self) -> str:
        return "".join(each._repr_html_() for each in self.values())


@dataclass(frozen=True)
class Figure:
    """A figure of a report: shown by a notebook, and as `svg` and `png` for a file of one's own."""

    captioned: CaptionedFigure

    @property
    def name(self) -> str:
        return self.captioned.name

    @property
    def heading(self) -> str:
        return self.captioned.heading

    @property
    def notes(self) -> tuple[str, ...]:
        return self.captioned.notes

    @cached_property
    def svg(self) -> bytes:
        return self._rendered("svg")

    @cached_property
    def png(self) -> bytes:
        return self._rendered("png")

    def _rendered(self, form: str) -> bytes:
        return render(self.captioned.drawing, [form], self.heading, " ".join(self.notes))[form]

    def _repr_html_(self) -> str:
        """The SVG as a picture, since the ids of two in one page would meet."""
        source = f"data:image/svg+xml;base64,{b64encode(self.svg).decode()}"
        picture = Markup('<img src="{}" alt="{}" style="max-width: 100%; background: white">')
        caption = Markup(" ").join(self.notes)
        figure = Markup("<figure><p><b>{1}</b></p>{0}<figcaption><small>{2}</small></figcaption></figure>")
        return str(figure.format(picture.format(source, self.heading), self.heading, caption))

    def _repr_png_(self) -> bytes:
        """For where no HTML is shown, as on paper."""
        return self.png
