"""Records of a short run as those of a long one: what it paid once, and what its first steps paid, are in no rate.

On a GPU each shape of micro-batch is run as it is, tried and captured when it comes first, in training and when rows
are scored; a longer run meets more of them. Everywhere the first steps are looked at closely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.execute.pace import Steps
from bench.plan.trained import items_of_steps, read_once, rows_evaluated
from bench.resolved import ResolvedCell
from bench.store.record import Record

FRESH = 3  # times as many shapes has a longer run as a few steps of always the same rows (RTE, 17 and 5 of them)
FORWARD = {False: 1 / 2, True: 1 / 3}  # of a token's arithmetic, by whether weights train: scoring it beside training


@dataclass(frozen=True)
class Pair:
    """A cell with its record, and that of the same cell in the loop before, in which the process was set up."""

    resolved: ResolvedCell
    record: Record
    before: Record

    def fresh_seconds(self, share: float) -> float:
        """Of its training, those beside the settled `share`; where states are kept, beside reading its rows once, which
        takes what scoring as many does.
        """
        costs = self.record.costs
        if not read_once(self.record):
            return costs.train_seconds * (1 - share)
        reading = costs.evaluate_seconds * self.record.counts.train / max(1, rows_evaluated(self.record))
        return max(0.0, costs.train_seconds - reading)

    def scoring_seconds(self, train_seconds: float) -> float:
        """Of the rows that were scored, by the arithmetic of a token that is trained on; all where there was none."""
        costs, counts = self.record.costs, self.record.counts
        trained = items_of_steps(self.record)
        if read_once(self.record) or not (trained and counts.train and train_seconds):
            return costs.evaluate_seconds
        examples = trained * counts.train / counts.train_items
        share = FORWARD[self.resolved.method.changes_weights] / self.resolved.method.passes_per_step
        return min(costs.evaluate_seconds, train_seconds / examples * rows_evaluated(self.record) * share)


def settled(pairs: Sequence[Pair], before: Steps, steps: Steps, captures: bool) -> list[Record]:
    """`before` and `steps` are those of the two loops; `captures`: shapes are captured there."""
    rate = steps.token_seconds
    if not (rate and pairs):
        return [_told(pair, 0.0, 0.0, captures) for pair in pairs]
    fresh = [pair.fresh_seconds(steps.settled_share(rate)) for pair in pairs]
    at_first = 1 - before.settled_share(rate)
    once = max(0.0, sum(pair.before.costs.train_seconds for pair in pairs) * at_first - sum(fresh)) / len(pairs)
    return [_told(pair, of_pair, once, captures) for pair, of_pair in zip(pairs, fresh, strict=True)]


def _told(pair: Pair, fresh: float, once: float, captures: bool) -> Record:
    """A record with its settled seconds. What a process pays `once` goes with loading a model that is not changed, what
    the cell pays once with all that belongs to no batch.
    """
    own, paid = pair.record.costs, pair.before.costs
    loaded, encoded = own.load_seconds or 0.0, own.encode_seconds or 0.0
    train, evaluate = own.train_seconds - fresh, own.evaluate_seconds
    compiling = own.own_compile_seconds or 0.0
    rest = own.seconds - loaded - encoded - train - evaluate
    if captures:
        evaluate = pair.scoring_seconds(train)
        rest += own.evaluate_seconds - evaluate
    if pair.record.provenance.get("compiled"):
        compiling += paid.own_compile_seconds or 0.0
        rest += paid.own_compile_seconds or 0.0
    elif captures:
        rest += (FRESH - 1) * (fresh + compiling)
    load = (loaded or paid.load_seconds or 0.0) + (0.0 if pair.resolved.method.changes_weights else once)
    encode = encoded + (paid.encode_seconds or 0.0)
    costs = own.model_copy(
        update={
            "seconds": rest + train + evaluate + load + encode,
            "load_seconds": load,
            "encode_seconds": encode,
            "train_seconds": train,
            "evaluate_seconds": evaluate,
            "compile_seconds": compiling * own.lanes,
            "utilization": own.utilization * own.train_seconds / train if own.utilization and train else None,
        }
    )
    return pair.record.model_copy(update={"costs": costs})
