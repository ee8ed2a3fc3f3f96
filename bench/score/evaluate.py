"""Predictions on items: the same micro-batches as training, without gradients or dropout."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.data.cutting import Tickets
from bench.data.rows import Item, way_laid
from bench.data.table import ItemTable
from bench.model.backbone import Backbone
from bench.model.head import Head
from bench.model.heads import row_scores
from bench.model.kept import keepable, states_read
from bench.model.passes import Passes, Program
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked, alike
from bench.score.answers import ScoredAnswer, Scores
from bench.score.kind import kind_of
from bench.score.metrics import score
from bench.score.objective import item_losses, item_scores, num_terms
from bench.score.predicted import Prediction
from bench.score.texts import best_null_threshold
from bench.task import Example, Task


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is asked, and what answers it: the items of some examples, and a lane's prompts and head as they are now.

    Without a `null_threshold` the best one for these examples is taken; it is one of the things that are chosen on the
    selection slice. `fixed`: the backbone has the weights that it had before, so that states may be kept. Examples that
    are not `answered` are asked, and nothing is scored.
    """

    task: Task
    prompts: Prompts
    head: Head
    items: Sequence[Item]
    examples: Sequence[Example]
    null_threshold: float | None = None
    fixed: bool = False
    answered: bool = True


@dataclass(frozen=True)
class Predictions:
    """Per example the answer and what is predicted by it; scores, mean loss, and the threshold of "no answer" used."""

    scored_answers: list[ScoredAnswer]
    predicted: list[Prediction]
    loss: float
    scores: dict[str, float]
    null_threshold: float | None


def predict(backbone: Backbone, evaluations: Sequence[Evaluation], token_budget: int) -> list[Predictions]:
    """The predictions of each. Those of lanes that are alike share micro-batches."""
    return Predictor(Passes(backbone, token_budget)).predict(evaluations)


class Predictor:
    """Predictions again and again, as lanes go on: what their passes have in common is kept in between."""

    def __init__(self, passes: Passes) -> None:
        self.passes = passes
        self._programs: dict[Hashable, Program] = {}

    @torch.no_grad()
    def predict(self, evaluations: Sequence[Evaluation]) -> list[Predictions]:
        groups: dict[Hashable, list[int]] = {}
        for at, evaluation in enumerate(evaluations):
            groups.setdefault(_kind(evaluation, keeps=self._keeps(evaluation)), []).append(at)
        predictions: dict[int, Predictions] = {}
        with self.passes.running():
            for kind, members in groups.items():
                of_group = self._predicted(kind, [evaluations[at] for at in members])
                predictions.update(zip(members, of_group, strict=True))
        return [predictions[at] for at in range(len(evaluations))]

    def _keeps(self, evaluation: Evaluation) -> bool:
        return evaluation.fixed and keepable(self.passes.backbone, evaluation.items)

    def _predicted(self, kind: Hashable, evaluations: list[Evaluation]) -> Iterator[Predictions]:
        passes = self.passes
        sets = {id(each.items): (each.items, kind_of(each.task).num_terms) for each in evaluations}
        table = passes.table(list(sets.values()))
        program = self._program(kind, evaluations, table)
        starts = dict(zip(sets, table.starts, strict=True))
        items = [starts[id(each.items)] + np.arange(len(each.items)) for each in evaluations]
        tickets = Tickets(
            np.concatenate(items), np.repeat(np.arange(len(items)), [len(of_lane) for of_lane in items]),
            np.concatenate([np.arange(len(of_lane)) for of_lane in items]), np.zeros(sum(map(len, items)), np.int64),
        )  # fmt: skip
        scores: list[Scores] = [np.zeros((0, 0), np.float32)] * len(tickets)
        losses = np.zeros(len(tickets))
        num_scores = table.sizes.rows if kind_of(evaluations[0].task).scores_rows else table.sizes.read
        ones = np.ones(len(tickets), np.int64)
        for cut, (of_items, of_losses) in passes.run(program, table, tickets, ones):
            losses[cut.chosen] = of_losses.cpu().numpy()[: len(cut.chosen)]
            for at, values in zip(cut.chosen.tolist(), of_items.cpu().numpy(), strict=False):
                scores[at] = values[: num_scores[tickets.items[at]]]
        edges = np.cumsum([0, *map(len, items)])
        for evaluation, first, last in zip(evaluations, edges[:-1], edges[1:], strict=True):
            yield _predictions(evaluation, scores[first:last], math.fsum(losses[first:last]))

    def _program(self, kind: Hashable, evaluations: list[Evaluation], table: ItemTable) -> Program:
        """That of the last time, with the values of now."""
        prompts, heads = [each.prompts for each in evaluations], [each.head for each in evaluations]
        key = (kind, len(evaluations), id(table))
        if key in self._programs:
            self._programs[key].stacked.load(prompts, heads)
            return self._programs[key]
        stacked, backbone, task_kind = Stacked(prompts, heads), self.passes.backbone, kind_of(evaluations[0].task)
        states = states_read(self.passes, stacked, table, fixed=self._keeps(evaluations[0]))

        def body(batch: MicroBatch) -> tuple[Tensor, ...]:
            with torch.no_grad():
                return self.passes.ranks.pass_through(lambda: scored(batch))

        def scored(batch: MicroBatch) -> tuple[Tensor, ...]:
            with backbone.autocast():
                scores = row_scores(batch, states(batch), stacked)
                of_items, given = item_scores(task_kind, batch, scores)
                return of_items, item_losses(task_kind, batch, of_items, given)

        program = Program(stacked, body, ("predict", kind))
        self._programs[key] = program
        return program


def _kind(evaluation: Evaluation, keeps: bool) -> Hashable:
    """Evaluations of which this is equal may share micro-batches."""
    return (alike(evaluation.prompts, evaluation.head), evaluation.task.kind, way_laid(evaluation.items), keeps)


def _predictions(evaluation: Evaluation, of_items: Sequence[Scores], loss: float) -> Predictions:
    task, kind, examples = evaluation.task, kind_of(evaluation.task), evaluation.examples
    numbers: dict[int, list[int]] = defaultdict(list)  # of items, by the example's number
    for number, item in enumerate(evaluation.items):
        numbers[item.example].append(number)
    scored_answers = [
        kind.answer(task, example, [evaluation.items[at] for at in of_example], [of_items[at] for at in of_example])
        for example, of_example in ((example, numbers[number]) for number, example in enumerate(examples))
    ]
    threshold = evaluation.null_threshold
    if threshold is None and task.answerless and evaluation.answered and math.isfinite(loss):
        margins = [answer.null_margin or 0.0 for answer in scored_answers]
        threshold = best_null_threshold(examples, [answer.text for answer in scored_answers], margins)
    predicted = [kind.prediction(answer, threshold or 0.0) for answer in scored_answers]
    mean = loss / max(1, sum(num_terms(task, item) for item in evaluation.items))
    scores = score(task, examples, predicted) if evaluation.answered else {}
    return Predictions(scored_answers, predicted, mean, scores, threshold)
