"""What some results folders hold, as it was measured, and what was measured elsewhere.

In come results folders (bench.store) and results/published/. Out go the outcome of every cell that was asked for, one
tidy frame of those that are scored, the papers' numbers as such a frame, and what can be told from these without any
statistics: what lines and models are called, which line is the reference, which settings were swept, and in what the
cells are not alike.
"""
