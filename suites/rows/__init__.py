"""Adapters: what a row of a data set's own layout becomes in the harness's fields (see bench.task.Task).

All are pure. A row that does not fit is a ValueError, a missing field a KeyError; the reader adds file and line.
"""
