"""Which line of a suite the others are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.errors import unknown

References = dict[tuple[str, str], str]  # (suite, label) -> the label it is compared with


def references(frame: pd.DataFrame, asked: str | None, usual: Sequence[str]) -> tuple[References, list[str]]:
    """The reference of every line that has one, and what stands in the way of the others.

    It is the line called `asked` or, without that, the line of the first of the `usual` methods that is there. Where a
    suite has it under several protocols, budgets and the like (their marks are in the label), each line is compared
    with that of its own. UsageError when no suite has a line called `asked`.
    """
    lines = {
        str(suite): dict(zip(rows["label"], rows["method"], strict=True)) for suite, rows in frame.groupby("suite")
    }
    reference_of: References = {}
    problems = []
    any_called = False
    for suite, methods in lines.items():
        candidates = next((called for name in ([asked] if asked else usual) if (called := _called(methods, name))), [])
        any_called |= bool(candidates)
        compared = [label for label in methods if label not in candidates]
        if not candidates and len(compared) > 1:
            problems.append(f"{suite}: no line to compare with; --reference takes one of {', '.join(sorted(compared))}")
        unlike = []
        for label in compared if candidates else ():
            alike = candidates
            if len(candidates) > 1:
                alike = [candidate for candidate in candidates if _marks(candidate) == _marks(label)]
            if len(alike) == 1:
                reference_of[suite, label] = alike[0]
            else:
                unlike.append(label)
        if unlike:
            problems.append(
                f"{suite}: {', '.join(sorted(unlike))} could be compared with any of {', '.join(sorted(candidates))}; "
                "--reference says which"
            )
    if asked and lines and not any_called:
        raise unknown("line to compare with", asked, sorted({label for methods in lines.values() for label in methods}))
    return reference_of, problems


def _called(methods: dict[str, str], name: str) -> list[str]:
    """The labels that are `name`, or are it but for their marks, or else those of the method."""
    exact = [label for label in methods if label == name]
    marked = [label for label in methods if label.partition(" [")[0] == name]
    return exact or marked or [label for label, method in methods.items() if method == name]


def _marks(label: str) -> str:
    """What tells a line from others of its settings (read.names): "[20 epochs × batch 32]", or nothing."""
    return label.partition(" [")[2]
