"""Passes go on where memory or a kernel is lacking, and take another shape only where rows come to the same bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.data.cutting import Tickets
from bench.data.rows import Item, Row
from bench.model.passes import Passes, Program
from bench.model.prompts import Prompts
from bench.model.ranks import Ranks
from bench.model.stacked import Stacked
from bench.train.training import Training

OUT_OF_MEMORY = (
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
)


def refusing(backbone, error, largest):
    """Let the encoder raise an error on micro-batches of more tokens; returns the sizes of those that came through."""
    seen, forward = [], backbone.encoder.forward

    def refuse(*given, **named):
        mask = named["attention_mask"]
        if mask.numel() > largest:
            raise error
        seen.append(mask.numel())
        return forward(*given, **named)

    backbone.encoder.forward = refuse
    return seen


def gradients(workshop, cell, token_budget, spoil=None, fixed_shapes=False):
    """A first step's gradients and loss, what it ran on, and what the spoiled backbone tells."""
    backbone = workshop.backbone(frozen=cell.method != "finetune")
    backbone.fixed_shapes = fixed_shapes
    lane = workshop.lane(cell, backbone)
    training = Training(backbone, [lane], token_budget)
    (stack,) = training.stacks
    told = spoil(backbone) if spoil else None
    stack.step([lane])
    losses = stack.settle()
    return [tensor.grad.clone() for tensor in lane.training_tensors().values()], losses, training.passes, told


@pytest.mark.parametrize("method", ["ptv2", "finetune"])
@pytest.mark.parametrize("fixed_shapes", [False, True], ids=["own", "fixed"])
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["processor", "GPU"])
def test_a_micro_batch_that_does_not_fit_is_halved_and_the_step_is_taken_whole(workshop, method, fixed_shapes, error):
    (cell,) = workshop.cells(method, settings={method: {"dropout": 0.0}})
    largest = 64 if fixed_shapes else 70
    found, losses, passes, seen = gradients(
        workshop, cell, 512, lambda backbone: refusing(backbone, error, largest), fixed_shapes
    )
    assert (passes.halvings, passes.token_budget) == (3, 64)
    assert max(seen) <= largest
    expected, wanted, small, _ = gradients(workshop, cell, 64, fixed_shapes=fixed_shapes)
    assert small.halvings == 0
    assert torch.equal(losses, wanted)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_nothing_of_what_came_through_before_the_error_is_counted_twice(workshop):
    """The third micro-batch of five fails: its gradients and losses are those of a step that nothing stopped."""
    (cell,) = workshop.cells("ptv2")

    def at_the_third(backbone):
        calls, forward = [], backbone.encoder.forward

        def once(*given, **named):
            calls.append(1)
            if len(calls) == 3:
                raise OUT_OF_MEMORY[1]
            return forward(*given, **named)

        backbone.encoder.forward = once
        return calls

    found, losses, passes, calls = gradients(workshop, cell, 80, at_the_third)
    expected, wanted, _, _ = gradients(workshop, cell, 40)
    assert (passes.token_budget, len(calls) > 6) == (40, True)
    assert torch.equal(losses, wanted)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_where_even_one_row_does_not_fit_the_error_is_the_loops(workshop):
    (cell,) = workshop.cells("ptv2")
    with pytest.raises(torch.OutOfMemoryError):
        gradients(workshop, cell, 512, lambda backbone: refusing(backbone, OUT_OF_MEMORY[1], 3))


def test_another_error_is_not_tried_again(workshop):
    (cell,) = workshop.cells("ptv2")
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        gradients(workshop, cell, 512, lambda backbone: refusing(backbone, error, 3))


def test_evaluations_are_halved_too(workshop):
    from bench.score.evaluate import Predictor

    (cell,) = workshop.cells("ptv2")
    backbone = workshop.backbone()
    lane = workshop.lane(cell, backbone)
    whole = Predictor(Passes(backbone, 64)).predict([lane.scored()])[0]
    refusing(backbone, OUT_OF_MEMORY[0], 64)
    predictor = Predictor(Passes(backbone, 1000))
    assert predictor.predict([lane.scored()])[0].scored_answers == whole.scored_answers
    assert predictor.passes.halvings == 4  # 62 tokens


def test_a_model_without_a_kernel_of_a_fixed_order_begins_the_step_again(workshop):
    """torch says which operation lacks one in the middle of a step; what it has added by then is forgotten."""
    error = RuntimeError("kthvalue_cuda does not have a deterministic implementation, but you asked for one")
    (cell,) = workshop.cells("ptv2")
    expected, wanted, _, _ = gradients(workshop, cell, 80)

    def lacking(backbone):
        calls, forward = [], backbone.encoder.forward

        def once(*given, **named):
            calls.append(backbone.deterministic)
            if len(calls) > 2 and backbone.deterministic:
                raise error
            return forward(*given, **named)

        backbone.encoder.forward = once
        return calls

    found, losses, passes, calls = gradients(workshop, cell, 80, lacking)
    assert passes.backbone.deterministic is False
    assert calls[:4] == [True, True, True, False]
    assert len(calls) > 5
    assert torch.equal(losses, wanted)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


# --- shapes


def items(*lengths):
    return [Item(0, (Row(list(range(1, n + 1)), [0] * n, [], [0]),), [0], [0], False) for n in lengths]


class Counted:
    """A program whose outputs say the lengths of rows, and as `spoils` says depend on their micro-batch's shape."""

    def __init__(self, workshop, spoils=lambda batch: 0.0, lanes=2, device="cpu"):
        self.backbone = workshop.backbone(device=device)
        self.backbone.fixed_shapes = True
        self.passes, self.spoils, self.shapes = Passes(self.backbone, 4096), spoils, []
        self.passes.tries_shapes = True
        self.stacked = Stacked([Prompts(slots=torch.zeros(1, 32, device=device))] * lanes, trains=True)
        self.cleared = 0
        self.program = Program(self.stacked, self.body, ("counted",), clear=self.clear)
        self.table = self.passes.table([(self.items, lambda _: 1)])

    items = items(5, 20, 33, 40, 9, 50, 64, 31)

    def clear(self):
        self.cleared += 1
        self.stacked.clear()

    def body(self, batch):
        self.shapes.append(tuple(batch.ids.shape))
        lengths = batch.mask.sum(dim=1).float() + self.spoils(batch)
        of_lanes = lengths * (batch.owners < self.stacked.count)
        self.stacked.gradients["slots"].index_add_(0, batch.owners, of_lanes[:, None, None].expand(-1, 1, 32))
        return (lengths,)

    def run(self, count=None):
        """Of all items or the first so many, what each came to, and the shapes that ran, trials not counted."""
        count = count or len(self.items)
        tickets = Tickets(np.arange(count), np.arange(count) % 2, np.arange(count) // 2, np.zeros(count, np.int64))
        self.shapes.clear()
        self.clear()
        found = self.passes.run(self.program, self.table, tickets, np.ones(count, np.int64))
        lengths = {
            at: value
            for cut, (values,) in found
            for at, value in zip(cut.chosen.tolist(), values.tolist(), strict=False)
        }
        return [lengths[at] for at in range(count)], [(cut.shape.rows, cut.shape.length) for cut, _ in found]


LENGTHS = [5.0, 20.0, 33.0, 40.0, 9.0, 50.0, 64.0, 31.0]
FIXED, QUEUED = [(32, 64), (32, 32)], [(16, 64)]


def test_where_rows_come_to_the_same_bits_in_both_shapes_micro_batches_are_queued(workshop):
    counted = Counted(workshop)
    assert counted.run() == (LENGTHS, QUEUED)
    tried = list(counted.shapes)
    assert tried == [(32, 64), (16, 64), (32, 32), (16, 64), (16, 64)]  # each pair, then the step
    gradients = counted.stacked.gradients["slots"][:2, 0, 0].tolist()
    assert gradients == [sum(LENGTHS[0::2]), sum(LENGTHS[1::2])]  # nothing of the trials
    assert counted.run() == (LENGTHS, QUEUED)
    assert counted.shapes == [(16, 64)]  # tried once


@pytest.mark.gpu
def test_on_a_gpu_a_shape_that_is_tried_is_captured_for_the_steps_too(workshop):
    counted = Counted(workshop, device="cuda")
    with counted.passes.running():
        assert counted.run() == (LENGTHS, QUEUED)
        # each once as it is, and the one of two trials and a step captured
        assert counted.shapes == [(32, 64), (16, 64), (32, 32), (16, 64)]
        assert counted.run() == (LENGTHS, QUEUED)
        assert counted.shapes == []
        gradients = counted.stacked.gradients["slots"][:2, 0, 0].tolist()
        assert gradients == [sum(LENGTHS[0::2]), sum(LENGTHS[1::2])]


@pytest.mark.parametrize(
    "spoils",
    [
        lambda batch: 2e-5 * (len(batch.ids) < 20),
        lambda batch: 2e-5 * (batch.ids.shape[1] > 32) * (batch.mask.sum(dim=1) < 33),
    ],
    ids=["rows", "length"],
)
def test_a_body_whose_rows_depend_on_the_shape_runs_in_fixed_shapes(workshop, spoils):
    counted = Counted(workshop, spoils)
    assert counted.run() == (LENGTHS, FIXED)
    assert counted.shapes[-2:] == FIXED
    gradients = counted.stacked.gradients["slots"][:2, 0, 0].tolist()
    assert gradients == [sum(LENGTHS[0::2]), sum(LENGTHS[1::2])]
    assert False in counted.backbone.same_bits.values()


def test_a_gradient_alone_that_depends_on_the_shape_is_enough(workshop):
    counted = Counted(workshop)
    body = counted.program.body

    def spoiled(batch):
        counted.stacked.gradients["slots"][batch.owners] += 1e-3 * (len(batch.ids) < 20)
        return body(batch)

    counted.program.body = spoiled
    assert counted.run()[1] == FIXED


def test_a_lane_that_is_alone_by_its_nature_is_queued_untried(workshop):
    counted = Counted(workshop, lambda batch: 2e-5 * (len(batch.ids) < 20))
    counted.program.alone = True
    assert counted.run()[1] == [(8, 64)]  # no more rows than the step has
    assert counted.shapes == [(8, 64)]


class TwoRanks(Ranks):
    """The first of two processes, as far as micro-batches go."""

    count = 2


def test_of_a_team_micro_batches_are_as_large_as_their_rows(workshop):
    counted = Counted(workshop)
    counted.passes.ranks = TwoRanks()
    assert counted.run(7)[1] == [(7, 64)]
    counted.passes.token_budget = 200
    assert counted.run(7)[1] == [(3, 64), (1, 33), (3, 20)]


def test_on_a_processor_shared_micro_batches_have_their_fixed_shapes(workshop):
    counted = Counted(workshop)
    counted.passes.tries_shapes = Passes(counted.backbone, 1).tries_shapes
    assert counted.run() == (LENGTHS, FIXED)
    assert counted.shapes == FIXED


def test_a_table_is_made_once_for_the_same_sets(workshop):
    passes = Passes(workshop.backbone(), 100)
    first, second = items(3), items(4)
    table = passes.table([(first, lambda _: 1)])
    assert passes.table([(first, lambda _: 1)]) is table
    assert passes.table([(second, lambda _: 1)]) is not table
    assert passes.table([(first, lambda _: 1), (second, lambda _: 1)]).starts == (0, 1)
