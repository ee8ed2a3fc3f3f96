"""A table as Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Sequence

from bench.escaping.latex import latex_text
from bench.escaping.markdown import markdown_line, markdown_text
from bench.escaping.table_cells import csv_text
from bench.report.tables.table import Table

NO_PROBLEMS = "Every cell that was asked for is finished."


def markdown(table: Table) -> str:
    """The table with its heading, its lead, its notes and the list of cells without a score."""
    lines = [f"{'#' * table.heading_level} {markdown_line(table.title)}", "", *_paragraphs(table.lead)]
    if table.header:
        rule = [":---" if number < table.num_words else "---:" for number in range(len(table.header))]
        header, *rows = [list(map(markdown_text, row)) for row in (table.header, *table.rows, *table.footer)]
        lines += ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)] + [""]
    lines += _paragraphs(table.notes)
    if table.problems:
        lines += [f"Without a score ({len(table.problems)}):", ""]
        lines += [f"- {markdown_line(problem)}" for problem in table.problems]
    elif table.problems is not None:
        lines.append(NO_PROBLEMS)
    if table.warnings:
        lines += ["", f"Warnings ({len(table.warnings)}):", ""]
        lines += [f"- {markdown_line(warning)}" for warning in table.warnings]
    return "\n".join(lines).rstrip() + "\n"


def latex(table: Table) -> str:
    """The table as a LaTeX float (needs \\usepackage{booktabs}), its notes in the caption, what is lacking under it."""
    if not table.header:
        return "".join(f"% {latex_text(note)}\n" for note in (*table.lead, *table.notes, *table.warnings))
    columns = "l" * table.num_words + "r" * (len(table.header) - table.num_words)
    header, rows, footer = (list(map(_latex_row, part)) for part in ([table.header], table.rows, table.footer))
    lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *header, r"\midrule"]
    lines += [*rows, *([r"\midrule", *footer] if footer else []), r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\caption{{{latex_text(' '.join((table.title + '.', *table.lead, *table.notes)))}}}", r"\end{table}"]
    for heading, items in (("Without a score:", table.problems), ("Warnings:", table.warnings)):
        if items:
            lines += ["", heading, r"\begin{itemize}", *(rf"\item {latex_text(item)}" for item in items)]
            lines.append(r"\end{itemize}")
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    """The numbers behind the table, to six figures, or its header and rows where it has no others."""
    return csv_text(table.frame, float_format="%.6g")


def _paragraphs(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in (markdown_line(text), "")]


def _latex_row(row: tuple[str, ...]) -> str:
    return " & ".join(map(latex_text, row)) + r" \\"
