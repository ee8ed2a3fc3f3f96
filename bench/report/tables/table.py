"""A table as text, of whatever it is: what every format writes and the terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """Rows as long as `header`, whose first `num_words` columns hold words and the others numbers.

    `name` is the stem of its files, and `heading_level` 2 of a table that stands under another one. `lead` stands
    between heading and table. The `footer` is set off by a rule: of scores the trivial baselines. `notes` go under it.
    `problems` are the cells without a score, None in a table that does not answer for them; `warnings` say what was
    wrong with the results folders. `columns` are the (task, metric) of a table of scores, for the last of its headings.
    `numbers` go into its CSV, which without them has the text.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    suite: str = ""
    footer: tuple[tuple[str, ...], ...] = ()
    problems: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    num_words: int = 3
    heading_level: int = 1
    lead: tuple[str, ...] = ()
    numbers: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """What its CSV has."""
        texts = (*self.rows, *self.footer)
        return pd.DataFrame(texts, columns=list(self.header)) if self.numbers is None else self.numbers

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        rows = [_row("td", row, self.num_words) for row in self.rows]
        rows += [_row("td", row, self.num_words, "opacity: 0.7") for row in self.footer]
        head = _row("th", self.header, self.num_words)
        grid = Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, Markup().join(rows))
        notes = [Markup("<p><small>{}</small></p>").format(note) for note in self.notes]
        notes += [Markup("<p>Without a score: {}</p>").format(problem) for problem in self.problems or ()]
        title = Markup("<p><b>{}</b></p>").format(self.title)
        title += Markup().join(Markup("<p>{}</p>").format(text) for text in self.lead)
        return str(title + (grid if self.header else Markup()) + _folded("Notes", Markup().join(notes)))


def _row(tag: str, texts: Sequence[str], num_words: int, style: str = "") -> Markup:
    cell = Markup('<{0} style="text-align: {1}">{2}</{0}>')
    sides = ["left" if place < num_words else "right" for place in range(len(texts))]
    cells = [cell.format(tag, side, text) for side, text in zip(sides, texts, strict=True)]
    return Markup('<tr style="{}">{}</tr>').format(style, Markup().join(cells))


def _folded(heading: str, content: Markup) -> Markup:
    return Markup("<details><summary>{}</summary>{}</details>").format(heading, content) if content else Markup()
