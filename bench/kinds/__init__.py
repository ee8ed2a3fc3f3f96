"""The kinds of task, a file each: all that one is stands in one class (bench.score.kind.TaskKind).

Files here import no torch and no numpy before a row is read: a plan and a listing ask a kind for its facts alone.
"""
