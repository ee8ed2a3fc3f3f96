"""A recommendation in a sentence or two, for a reader who reads nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.report.statistics.recommended import Candidate, Recommendation
from bench.report.tables.line_costs import LineCosts
from bench.report.tables.numbers import bytes_text

Costs = Mapping[str, LineCosts]  # by label
FEW_NAMES = 4


def choice(answer: Recommendation, costs: Costs) -> Candidate | None:
    """The cheapest line that is shown to be within the margin of the best; None where none is, or none learns."""
    shown = [line for line in answer.candidates if line.within]
    if len(answer.candidates) < 2 or answer.candidates[0].flat or not shown:
        return None
    return min(shown, key=lambda line: _cost(line, costs))


def open_lines(answer: Recommendation) -> list[Candidate]:
    """Those of which is not shown whether they are worse than the best or within the margin, the highest score first;
    the best is one where that is open of it too.
    """
    return [line for line in answer.candidates
            if line.standing == "undecided" or (line.standing == "best" and not line.within)]  # fmt: skip


def advice(answer: Recommendation, costs: Costs) -> str:
    """What to use, or what is open and what would decide it."""
    chosen = choice(answer, costs)
    parts = [_use(answer, chosen, costs), _cheaper(answer, chosen, costs)] if chosen else [_nothing(answer, costs)]
    if chosen and chosen.collapsed:
        parts.append(f"{chosen.collapsed} of its {chosen.runs} runs collapsed: train more than one.")
    parts += [f"Not finished: {names(answer.unfinished)}."] if answer.unfinished else []
    return " ".join(part for part in parts if part)


def names(labels: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and 3 more"."""
    if len(labels) > FEW_NAMES:
        return f"{', '.join(labels[: FEW_NAMES - 1])} and {len(labels) - FEW_NAMES + 1} more"
    return " and ".join(part for part in (", ".join(labels[:-1]), labels[-1]) if part)


def margin_text(margin: float) -> str:
    return f"{margin:g} point{'' if margin == 1 else 's'}"


def _use(answer: Recommendation, chosen: Candidate, costs: Costs) -> str:
    best, others = answer.candidates[0], answer.candidates[1:]
    text = f"Use {chosen.label}: {chosen.score:.1f}"
    if chosen is best:
        if all(line.standing == "worse" for line in others):
            return f"{text}, shown to be the best of {len(answer.candidates)}."
        near = f"within {margin_text(answer.margin)} of the best"
        return f"{text}, the highest score; nothing cheaper is shown to be {near}."
    kept, of_best = (costs[line.label].stored_bytes for line in (chosen, best))
    size = f", and keeps {bytes_text(kept)} instead of {bytes_text(of_best)}" if kept < of_best else ""
    return (
        f"{text}, shown to be within {margin_text(answer.margin)} of the best (the highest is {best.label} with "
        f"{best.score:.1f}){size}."
    )


def _cheaper(answer: Recommendation, chosen: Candidate, costs: Costs) -> str:
    """What is still open of lines that cost less than the chosen one."""
    cheaper = [line for line in open_lines(answer) if _cost(line, costs) < _cost(chosen, costs)]
    if not cheaper:
        return ""
    first = max(cheaper, key=lambda line: line.score)
    also = f" (and of {len(cheaper) - 1} more)" if len(cheaper) > 1 else ""
    return (
        f"Undecided is whether {first.label}{also}, which keeps less, does as well ({first.score:.1f}){_needs(first)}."
    )


def _nothing(answer: Recommendation, costs: Costs) -> str:
    """Why no line can be recommended, and what would change that."""
    lines = answer.candidates
    if lines and lines[0].flat:
        return f"Nothing to use yet: no method is shown to score above the trivial answer, not even {_of(lines[0])}."
    if len(lines) < 2 and answer.alone:
        label, score = max([*answer.alone, *((line.label, line.score) for line in lines)], key=lambda pair: pair[1])
        return f"Undecided: one run shows no spread, and 3 to 5 are usual. The highest score is {label} ({score:.1f})."
    if len(lines) < 2:
        only = f"only {_of(lines[0])} has all its scores" if lines else "no method has all its scores"
        return f"Nothing to choose from yet: {only}."
    still = open_lines(answer)
    cheapest = min(still, key=lambda line: _cost(line, costs))
    open_names = names([line.label for line in still])
    if cheapest is lines[0]:
        rival = next((line for line in still if line.standing == "undecided"), cheapest)
        told = f"The highest score and the cheapest of them: {_of(cheapest)}{_needs(rival)}."
    else:
        below = "" if math.isnan(cheapest.below) else f", at most {cheapest.below:.1f} below the best"
        told = (
            f"Highest so far: {_of(lines[0])}; cheapest not shown to be worse: {_of(cheapest)}{below}"
            f"{_needs(cheapest)}."
        )
    return f"Undecided within {margin_text(answer.margin)}: {open_names}. {told}"


def _of(line: Candidate) -> str:
    return f"{line.label} ({line.score:.1f})"


def _needs(line: Candidate) -> str:
    needs = line.needs
    if needs is None:
        return ""
    if needs.is_out_of_reach:
        return f"; it would take {needs.text()}"
    return f"; about {needs.text()} would decide" + ("" if needs.more_seeds else ", since the rows limit")


def _cost(line: Candidate, costs: Costs) -> tuple[float, float, str]:
    return costs[line.label].order(line.label)
