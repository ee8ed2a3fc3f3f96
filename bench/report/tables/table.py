"""A table as text, of whatever it is: what every format writes and the terminal shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


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
