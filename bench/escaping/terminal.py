"""Where lines and tables are printed: nothing in a name moves the cursor, colours a line or turns it around."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from bench.escaping.unseen import visible


class Screen(Console):
    """A console of rich's that takes every text as it is, and shows what a terminal would obey: only styles are
    obeyed, and no markup.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What comes out of a text, a table or a display, piece by piece."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)
