"""Findings as tables of text, and a table in every format.

In come the Findings of `statistics`. Out go Tables (table.py): the scores of each suite with what stands under them,
the verdicts, the chosen settings, the seeds taken apart; together with the findings they are the Report (report.py).
formats.py writes any Table as Markdown, LaTeX or CSV, console.py prints it. The LaTeX table in the papers' own shape is
paper.py.
"""
