"""A table as Markdown, LaTeX and CSV."""

from __future__ import annotations

from bench.report.tables.table import Table

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "±": r"$\pm$", "≤": r"$\leq$", "≈": r"$\approx$", "−": r"$-$",
    "×": r"$\times$", "·": r"$\cdot$", "–": "--",
}  # fmt: skip
NO_PROBLEMS = "Every cell that was asked for is finished."


def markdown(table: Table) -> str:
    """The table with its heading, its lead, its notes and the list of cells without a score."""
    lines = [f"{'#' * table.heading_level} {table.title}", "", *(line for text in table.lead for line in (text, ""))]
    if table.header:
        rule = [":---" if number < table.num_words else "---:" for number in range(len(table.header))]
        header, *rows = [list(map(_markdown_text, row)) for row in (table.header, *table.rows, *table.footer)]
        lines += ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)] + [""]
    lines += [line for note in table.notes for line in (note, "")]
    if table.problems:
        lines += [f"Without a score ({len(table.problems)}):", ""]
        lines += [f"- {_markdown_text(problem)}" for problem in table.problems]
    elif table.problems is not None:
        lines.append(NO_PROBLEMS)
    if table.warnings:
        lines += ["", f"Warnings ({len(table.warnings)}):", ""]
        lines += [f"- {_markdown_text(warning)}" for warning in table.warnings]
    return "\n".join(lines).rstrip() + "\n"


def latex(table: Table) -> str:
    """The table as a LaTeX float (needs \\usepackage{booktabs}), its notes in the caption, what is lacking under it."""
    if not table.header:
        return "".join(f"% {' '.join(note.split())}\n" for note in (*table.lead, *table.notes, *table.warnings))
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
    return table.frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def latex_text(text: str) -> str:
    """`text` with everything escaped that LaTeX would take for a command."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def _markdown_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _latex_row(row: tuple[str, ...]) -> str:
    return " & ".join(map(latex_text, row)) + r" \\"
