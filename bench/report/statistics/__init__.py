"""What the scores say: means and intervals over seeds and examples, differences, verdicts, ranks.

In come the outcomes and the frame of `read`, and the cells' predictions. Out go frames of numbers, one row per entry,
comparison or line, gathered as the Findings of a report (findings.py). Samples and their draws (samples, draws,
bootstrap) become estimates (intervals), differences of lines (collapse, moderation, differences) and tests of many of
them at once (multiplicity, judging, verdicts, ranking). No table and no word for a reader but the notes of a verdict.
"""
