"""The family that is pretrained for a comparison across sizes: what grows, and what a stopped run goes on with."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from transformers import BertForMaskedLM

from tests.perf import pretrain_family
from tests.perf.family_sizes import SIZES, Size, stack
from tests.perf.family_text import LENGTH, MASKED, Marks, Rows
from tests.perf.pretrain_family import Pretraining

MARKS = Marks(cls=1, sep=2, mask=3, size=40)
GROWING = Size(4, 64, 1e-3, grown=((0.25, 1), (0.5, 2)))
NUM_STEPS = 20


@pytest.fixture
def pretraining(monkeypatch: pytest.MonkeyPatch) -> Pretraining:
    monkeypatch.setattr(pretrain_family, "BATCH_SIZE", 2)
    return started()


def started() -> Pretraining:
    ids = torch.randint(4, MARKS.size, (8_000,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    return Pretraining(GROWING, Rows(ids, MARKS, 0), Rows(ids, MARKS, 0), NUM_STEPS, seed=0)


def test_base_begins_with_three_layers_and_ends_with_twelve() -> None:
    base = SIZES["base"]
    assert [base.layers_at(step, 1000) for step in (0, 124, 125, 299, 300, 999)] == [3, 3, 6, 6, 12, 12]
    assert [base.rate_of(layers) for layers in (3, 12)] == [8e-4, 4e-4]


@pytest.mark.parametrize("name", ["tiny", "mini", "small", "medium"])
def test_the_others_have_one_depth(name: str) -> None:
    assert {SIZES[name].layers_at(step, 1000) for step in (0, 500, 999)} == {SIZES[name].layers}


def test_a_deeper_model_repeats_the_layers_of_the_lower_one() -> None:
    lower, deeper = (BertForMaskedLM(GROWING.config(MARKS.size, layers)) for layers in (2, 4))
    stack(lower, deeper)
    assert torch.equal(deeper.bert.embeddings.word_embeddings.weight, lower.bert.embeddings.word_embeddings.weight)
    for at, layer in enumerate(deeper.bert.encoder.layer):
        below = lower.bert.encoder.layer[at % 2]
        assert torch.equal(layer.attention.self.query.weight, below.attention.self.query.weight)


def test_the_rate_comes_up_again_where_a_model_has_grown(pretraining: Pretraining) -> None:
    rates = []
    for _ in range(6):
        pretraining.train_step()
        rates.append(pretraining.rate(pretraining.step - 1))
    assert rates[5] == pytest.approx(GROWING.rate_of(2) * 15 / 19 / pretrain_family.AFTER_GROWTH)
    assert rates[4] == pytest.approx(GROWING.rate_of(1) * 16 / 19)


@pytest.mark.parametrize("stopped_at", [3, 7, 13])
def test_a_run_that_was_stopped_comes_to_the_losses_of_one_that_was_not(
    pretraining: Pretraining, tmp_path: Path, stopped_at: int
) -> None:
    whole = [float(pretraining.train_step()) for _ in range(NUM_STEPS)]
    stopped, resumed = started(), started()
    for _ in range(stopped_at):
        stopped.train_step()
    stopped.save(tmp_path / "state")
    resumed.restore(tmp_path / "state")
    assert [float(resumed.train_step()) for _ in range(NUM_STEPS - stopped_at)] == whole[stopped_at:]


@pytest.mark.gpu
def test_weights_that_are_made_again_are_the_same_to_the_bit() -> None:
    device, wide, num_steps = torch.device("cuda"), Size(4, 768, 1e-3, grown=((0.25, 1), (0.5, 2))), 40
    ids = torch.randint(4, MARKS.size, (400_000,), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    made = []
    for _ in range(2):
        rows = Rows(ids.to(device), MARKS, 0, moved_from=12)
        run = Pretraining(wide, rows, rows, num_steps, seed=0)
        losses = [float(run.train_step()) for _ in range(num_steps)]
        made.append((losses, {name: value.clone() for name, value in run.model.state_dict().items()}))
    (losses, weights), (again, others) = made
    assert losses == again
    assert losses[-1] < losses[0]
    assert [name for name, value in weights.items() if not torch.equal(value, others[name])] == []


def test_each_row_has_its_marks_and_as_many_masked_tokens() -> None:
    ids = torch.randint(4, MARKS.size, (8_000,), dtype=torch.int32)
    batch = Rows(ids, MARKS, 0).batch(0, 8)
    assert batch.ids.shape == (8, LENGTH)
    assert batch.at.shape == (8, MASKED)
    assert set(batch.ids[:, 0].tolist()) == {MARKS.cls}
    assert set(batch.ids[:, -1].tolist()) == {MARKS.sep}
    assert (batch.at > 0).all()
    assert (batch.at < LENGTH - 1).all()


def test_the_figures_suite_gives_every_method_the_same() -> None:
    suite = runpy.run_path(str(Path(__file__).parents[2] / "results" / "figure-one" / "suite.py"))["SUITE"]
    assert [task.name for task in suite.tasks] == ["sst2", "cb", "rte", "conll04", "squad1", "srl_ewt"]
    assert suite.average == tuple(task.name for task in suite.tasks)
    assert (suite.budget.steps, suite.budget.train_rows, suite.seeds, suite.settings) == (1000, 8000, 5, {})
