"""Tables as Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report.statistics.summary import SUMMARY
from bench.report.tables.scores import Table

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "±": r"$\pm$", "≤": r"$\leq$", "−": r"$-$", "×": r"$\times$",
    "·": r"$\cdot$", "–": "--",
}  # fmt: skip
LEFT = 3  # the first columns are words, the others numbers
NO_PROBLEMS = "Every cell that was asked for is finished."


def markdown(table: Table) -> str:
    """The table with its notes and the list of cells without a score, as a Markdown page."""
    lines = [f"# {table.title}", ""]
    if table.rows:
        header = [_markdown_cell(text) for text in table.header]
        rule = [":---" if number < LEFT else "---:" for number in range(len(header))]
        rows = [[_markdown_cell(text) for text in row] for row in table.rows]
        lines += ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)] + [""]
    lines += [part for note in table.notes for part in (note, "")]
    if table.problems:
        lines += [f"Without a score ({len(table.problems)}):", ""]
        lines += [f"- {_markdown_cell(problem)}" for problem in table.problems]
    elif table.rows and not table.heading:
        lines.append(NO_PROBLEMS)
    if table.warnings:
        lines += ["", f"Warnings ({len(table.warnings)}):", ""]
        lines += [f"- {_markdown_cell(warning)}" for warning in table.warnings]
    return "\n".join(lines).rstrip() + "\n"


def latex(table: Table) -> str:
    """The table as a LaTeX float (needs \\usepackage{booktabs}), its notes in the caption, what is lacking under it."""
    if not table.rows:
        return "".join(f"% {' '.join(note.split())}\n" for note in (*table.notes, *table.warnings))
    columns = "l" * LEFT + "r" * (len(table.header) - LEFT)
    lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [_latex_row(table.header), r"\midrule"]
    body = [_latex_row(row) for row in table.rows]
    lines += [*body, r"\bottomrule"] if table.heading else [*body[:-1], r"\midrule", body[-1], r"\bottomrule"]
    lines.append(r"\end{tabular}")
    lines += [rf"\caption{{{latex_text(' '.join((table.title + '.', *table.notes)))}}}", r"\end{table}"]
    for heading, items in (("Without a score:", table.problems), ("Warnings:", table.warnings)):
        if items:
            lines += ["", heading, r"\begin{itemize}", *(rf"\item {latex_text(item)}" for item in items)]
            lines.append(r"\end{itemize}")
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """`text` with everything escaped that LaTeX would take for a command."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def numbers(parts: Sequence[pd.DataFrame], suite: str) -> str:
    """The numbers behind a suite's table as CSV: a line per entry, the average among the tasks, published ones last."""
    own = [part[part["suite"] == suite] for part in parts]
    rows = pd.concat([part for part in own if len(part)] or [parts[0].head(0)], ignore_index=True)
    counts = [name for name in SUMMARY if name.endswith("_parameters")]
    rows = rows.astype(dict.fromkeys(counts, "Int64"))  # %g would cut a large count to six figures
    return rows[SUMMARY].to_csv(index=False, float_format="%.6g", lineterminator="\n")


def compared_numbers(compared: pd.DataFrame, suite: str) -> str:
    """A suite's comparisons as CSV, a line each, notes as one text."""
    own = compared[compared["suite"] == suite]
    own = own.assign(note=["; ".join(note) for note in own["note"]])
    return own.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _markdown_cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _latex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(latex_text(cell) for cell in cells) + r" \\"
