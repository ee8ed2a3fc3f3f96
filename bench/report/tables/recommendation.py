"""Which method to use: per model the best score and the cheapest lines not shown to be worse, with what each costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.escaping.file_names import file_part
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names, natural
from bench.report.statistics.findings import Findings
from bench.report.statistics.needed import POWER
from bench.report.statistics.recommended import Candidate, Recommendation
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.advice import advice, choice, margin_text, names, open_lines
from bench.report.tables.line_costs import FLOAT, LineCosts, line_costs, over_tasks
from bench.report.tables.numbers import bytes_text, count_text
from bench.report.tables.table import Table

HEADER = ("method", "against the best", "score", "stored", "trained", "peak memory", "time", "to decide")
NUMBERS = (
    "suite", "task", "model", "budget", "label", "chosen", "standing", "score", "below", "within", "margin", "level",
    "seeds", "seeds_needed", "rows_needed", "runs", "collapsed", "stored_bytes", "trained_parameters",
    "alone_peak_bytes", "alone_seconds", "alone",
)  # fmt: skip
NOTHING = "–"
CostsOf = Mapping[str, Mapping[tuple[str, str], LineCosts]]  # by task, or the average; model and label


def recommendation_table(findings: Findings, suite: str) -> Table | None:
    """The recommendations of one suite; None where no line has a score."""
    tasks = findings.averaged[suite]
    answers = [answer for answer in findings.recommendations if answer.suite == suite]
    overall = _by_size([answer for answer in answers if answer.task == AVERAGE], findings.frame)
    if not any(answer.candidates or answer.alone for answer in overall):
        return None
    costs = line_costs(findings.frame, suite)
    costs[AVERAGE] = over_tasks([costs.get(task, {}) for task in tasks])
    models, budgets = model_names(answer.model for answer in overall), {answer.budget for answer in overall}
    several = len(models) > 1
    of = {id(answer): _of(answer, models[answer.model] if several else "", len(budgets) > 1) for answer in overall}
    rows, worse = (
        [
            (*((models[answer.model],) if several else ()), *row)
            for answer in overall
            for row in rows_of(answer, _costs(costs, answer))
        ]
        for rows_of in (_rows, _worse)
    )
    where = f"the mean of {len(tasks)} tasks" if len(tasks) > 1 else tasks[0]
    title = f"Which method to use: {suite}, by {where}" + ("" if several else f", {next(iter(models.values()))}")
    return Table(
        f"recommendation-{file_part(suite)}", title, ("model", *HEADER) if several else HEADER, tuple(rows),
        (*_notes(overall, costs, of), *_by_task(overall, answers, costs, of), *_lacking(findings, suite)), suite,
        footer=tuple(worse), num_words=3 if several else 2, numbers=_numbers(answers, costs),
        lead=tuple(of[id(answer)] + advice(answer, _costs(costs, answer)) for answer in overall),
    )  # fmt: skip


def _by_size(answers: Sequence[Recommendation], frame: pd.DataFrame) -> list[Recommendation]:
    sizes = model_sizes(frame).fillna(math.inf)
    return sorted(answers, key=lambda answer: (sizes[answer.model], answer.model, natural(answer.budget)))


def _of(answer: Recommendation, model: str, with_budget: bool) -> str:
    """What an answer is of, where there are several: "tiny, 5 epochs × batch 16: "."""
    parts = [part for part in (model, answer.budget if with_budget else "") if part]
    return f"{', '.join(parts)}: " if parts else ""


def _costs(costs: CostsOf, answer: Recommendation) -> dict[str, LineCosts]:
    """Of an answer's lines; unknown of one that costs nothing known."""
    labels = [*(line.label for line in answer.candidates), *(label for label, _ in answer.alone)]
    return {label: costs.get(answer.task, {}).get((answer.model, label), LineCosts()) for label in labels}


def _rows(answer: Recommendation, costs: Mapping[str, LineCosts]) -> list[tuple[str, ...]]:
    """The lines that are not shown to be worse, the cheapest first."""
    lines = {line.label: line for line in answer.candidates if line.standing != "worse"}
    scores = {label: line.score for label, line in lines.items()} | dict(answer.alone)
    rows: list[tuple[str, ...]] = []
    for label in sorted(scores, key=lambda label: costs[label].order(label)):
        line = lines.get(label)
        standing, needs = (_standing(answer, line), _needs_text(line)) if line else ("one run", NOTHING)
        rows.append((label, standing, f"{scores[label]:.1f}", *_costs_texts(costs[label]), needs))
    return rows


def _worse(answer: Recommendation, costs: Mapping[str, LineCosts]) -> list[tuple[str, ...]]:
    """Those that are, the highest score first."""
    return [
        (line.label, _standing(answer, line), f"{line.score:.1f}", *_costs_texts(costs[line.label]), NOTHING)
        for line in answer.candidates
        if line.standing == "worse"
    ]


def _costs_texts(costs: LineCosts) -> tuple[str, str, str, str]:
    return bytes_text(costs.stored_bytes), count_text(costs.trained), costs.memory_text, costs.time_text


def _standing(answer: Recommendation, line: Candidate) -> str:
    if line.standing == "best":
        return "best" if line.within and not answer.alone else "highest so far"  # beside one run nothing is shown
    return f"within {answer.margin:g}" if line.standing == "within" else line.standing


def _needs_text(line: Candidate) -> str:
    needs = line.needs
    if needs is None:
        return NOTHING
    if needs.is_out_of_reach:
        return "out of reach"
    parts = [f"{needs.seeds} seeds"] if needs.more_seeds else []
    return ", ".join([*parts, *([f"{needs.rows:.2g}× rows"] if needs.rows > 1 else [])])


def _notes(overall: Sequence[Recommendation], costs: CostsOf, of: Mapping[int, str]) -> list[str]:
    margin = margin_text(overall[0].margin)
    against = (
        f"Against the best: within: shown to be at most {margin} below the best line, whichever that is; worse: shown "
        "to be below it; undecided: neither is shown. That the best is chosen by the same scores is accounted for (Hsu "
        "1984, multiple comparisons with the best, by the verdicts' one-sided tests): anything said of a model here is "
        "wrong with a probability of at most 5 %. A verdict answers another question, whether a line matches the "
        "reference. The CSV has the most that each line may be below the best."
    )
    notes = [
        against,
        *_collapsed(overall, of),
        _costs_note([line for answer in overall for line in _costs(costs, answer).values()]),
    ]
    if any(line.needs for answer in overall for line in answer.candidates):
        notes.append(
            "To decide: seeds of each line in all, or scored rows, with which the same test decides with a probability "
            f"of {100 * POWER:.0f} %, if differences and spreads are as they were seen: the size of it, no promise."
        )
    return notes


def _collapsed(overall: Sequence[Recommendation], of: Mapping[int, str]) -> list[str]:
    """Which scores are of fewer runs than there are: a reader who takes one may have to train again."""
    lost = [
        f"{of[id(answer)]}{line.label}, {line.collapsed} of {line.runs} runs"
        for answer in overall
        for line in answer.candidates
        if line.collapsed
    ]
    return [f"Scores are of runs that trained; collapsed ones are left out: {'; '.join(lost)}."] if lost else []


def _costs_note(lines: Sequence[LineCosts]) -> str:
    text = (
        f"In the order of what is stored: what a user keeps for a task, {FLOAT} bytes a parameter. Peak memory (on "
        "a CPU of the whole process) and time (training and evaluations, a mean over tasks and seeds) are of one "
        "training alone; loading, encoding, trials and first stages come on top."
    )
    if all(line.measured for line in lines):
        return text
    return (
        f"{text} ≈ and ≤: not measured alone. The training shared a loop with others, of whose time it is charged its "
        "part by tokens and of whose memory the whole is an upper bound, or a GPU with other workers, and was slower."
    )


def _by_task(
    overall: Sequence[Recommendation], answers: Sequence[Recommendation], costs: CostsOf, of: Mapping[int, str]
) -> list[str]:
    """Where single tasks have another answer than their mean."""
    notes = []
    for mean in overall:
        of_tasks = [answer for answer in answers if answer.task != AVERAGE
                    and (answer.model, answer.budget) == (mean.model, mean.budget)]  # fmt: skip
        said = {answer.task: _briefly(answer, _costs(costs, answer)) for answer in of_tasks}
        if {*said.values()} - {_briefly(mean, _costs(costs, mean))}:
            told = "; ".join(f"{task}: {text}" for task, text in said.items())
            notes.append(f"{of[id(mean)]}By task, each tested at 5 % over their number: {told}.")
    return notes


def _briefly(answer: Recommendation, costs: Mapping[str, LineCosts]) -> str:
    chosen = choice(answer, costs)
    if chosen:
        return f"use {chosen.label}"
    still = [line.label for line in open_lines(answer)]
    return f"undecided between {names(still)}" if len(still) > 1 else "no answer"


def _lacking(findings: Findings, suite: str) -> list[str]:
    cells = findings.frame[findings.frame["suite"] == suite].drop_duplicates("id")
    lacking = int((cells["status"] != "done").sum())
    return [f"{lacking} of {len(cells)} cells have no score; with them the answer may change."] if lacking else []


def _numbers(answers: Sequence[Recommendation], costs: CostsOf) -> pd.DataFrame:
    """All lines of all answers, those of single tasks among them."""
    rows: list[dict[str, Any]] = []
    for answer in answers:
        of_lines = _costs(costs, answer)
        chosen = choice(answer, of_lines)
        common = {"suite": answer.suite, "task": answer.task, "model": answer.model, "budget": answer.budget,
                  "margin": answer.margin, "level": 1 - answer.level}  # fmt: skip
        for line in answer.candidates:
            needs = line.needs if line.needs and not line.needs.is_out_of_reach else None
            rows.append(common | _of_costs(of_lines[line.label]) | {
                "label": line.label, "chosen": line is chosen, "standing": line.standing, "score": line.score,
                "below": line.below, "within": line.within, "seeds": line.num_seeds, "runs": line.runs,
                "seeds_needed": needs.seeds if needs else math.nan, "rows_needed": needs.rows if needs else math.nan,
                "collapsed": line.collapsed,
            })  # fmt: skip
        for label, score in answer.alone:
            row = {"label": label, "chosen": False, "standing": "one run", "score": score, "within": False, "seeds": 1}
            rows.append(common | _of_costs(of_lines[label]) | row)
    table = pd.DataFrame(rows, columns=list(NUMBERS))
    return table.astype(dict.fromkeys(["stored_bytes", "trained_parameters", "alone_peak_bytes"], "Int64"))


def _of_costs(costs: LineCosts) -> dict[str, Any]:
    return {
        "stored_bytes": costs.stored_bytes, "trained_parameters": costs.trained,
        "alone_peak_bytes": costs.peak_bytes, "alone_seconds": costs.seconds,
        "alone": "measured" if costs.measured else "predicted",
    }  # fmt: skip
