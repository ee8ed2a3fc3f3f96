"""Further tables of a suite, under its main one: as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from bench.report.tables.formats import latex_text


@dataclass(frozen=True)
class Section:
    """A table as text. `name` is its files' stem; the first `words` columns are words, the others numbers."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    words: int = 3


def section_markdown(section: Section) -> str:
    """The section with a heading of the second level, to stand under the suite's table."""
    rule = [":---" if number < section.words else "---:" for number in range(len(section.header))]
    rows = [" | ".join(map(_escaped, row)) for row in (section.header, *section.rows)]
    table = [f"| {row} |" for row in (rows[0], " | ".join(rule), *rows[1:])]
    return "\n\n".join([f"## {section.title}", "\n".join(table), *section.notes]) + "\n"


def section_latex(section: Section) -> str:
    """The section as a LaTeX float (needs \\usepackage{booktabs}), its notes in the caption."""
    columns = "l" * section.words + "r" * (len(section.header) - section.words)
    rows = [" & ".join(map(latex_text, row)) + r" \\" for row in (section.header, *section.rows)]
    caption = latex_text(" ".join((section.title + ".", *section.notes)))
    lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", rows[0], r"\midrule"]
    lines += [*rows[1:], r"\bottomrule", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def section_csv(section: Section) -> str:
    """The section's header and rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((section.header, *section.rows))
    return text.getvalue()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
