"""The arithmetic behind the tables of gpu_step_time.py, against numbers worked out by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from transformers import BertConfig, LlamaConfig

from tests.perf.peft_trainer import even_sample
from tests.perf.random_models import num_inner_parameters
from tests.perf.step_clock import StepClock
from tests.perf.step_figures import Arm, Figure, Work, aims, best_trainer, growth

BERT = BertConfig(
    vocab_size=7, hidden_size=4, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
    max_position_embeddings=8, type_vocab_size=2,
)  # fmt: skip
# A layer: four 4×4 products with biases, 4×16 and 16×4 with biases, two norms; and the norm of the embeddings.
BERT_INNER = 2 * (4 * 20 + 80 + 68 + 2 * 8) + 8
LLAMA = LlamaConfig(
    vocab_size=7, hidden_size=4, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=8
)
LLAMA_INNER = 16 + 8 + 8 + 16 + 3 * 32 + 2 * 4 + 4  # q, k, v, o, gate, up, down, norms


def test_embeddings_and_pooler_are_no_arithmetic() -> None:
    assert num_inner_parameters(BERT) == BERT_INNER
    assert num_inner_parameters(LLAMA) == LLAMA_INNER


@pytest.mark.parametrize(
    ("config", "method", "flops"),
    [  # rows of 2 and 6 tokens: a token's row has 40 / 8 = 5 keys on average, of which a causal token sees half
        (BERT, "lora", 4 * BERT_INNER + 12 * 2 * 4 * 5),
        (BERT, "ptv2", 4 * BERT_INNER + 12 * 2 * 4 * (5 + 3)),
        (BERT, "finetune", 6 * BERT_INNER + 12 * 2 * 4 * 5),
        (LLAMA, "ptv2", 4 * LLAMA_INNER + 12 * 1 * 4 * (2.5 + 3)),
    ],
)
def test_flops_of_a_token(config: BertConfig | LlamaConfig, method: str, flops: float) -> None:
    assert Work(config, [2, 6], prefix=3, peak=1.0).flops_per_token(method) == flops


def figure(kind: str, seconds: float, lanes: int = 1, method: str = "ptv2", share: float = 0.0) -> Figure:
    return Figure(Arm("335m", method, kind, f"{kind} {lanes}", "", lanes), seconds, peak_share=share)


def test_the_reference_is_the_fastest_trainer_that_ran() -> None:
    broken = Figure(Arm("335m", "ptv2", "trainer", "Trainer", ""), reason="out of memory")
    others = [figure("trainer", 0.5, method="lora"), figure("alone", 0.1)]
    assert best_trainer([figure("trainer", 3.0), broken, figure("trainer", 2.0), *others], "335m", "ptv2") == 2.0
    assert best_trainer([broken, *others], "335m", "ptv2") is None


def test_aims_are_judged_by_the_best_trainer() -> None:
    figures = [figure("trainer", 6.0), figure("alone", 2.0), figure("together", 1.0, 20, share=0.24)]
    assert aims(figures)[2:] == [
        "| ptv2, 335m, alone 1, × best Trainer | ≥ 3.00 | 3.00 | met |",
        "| ptv2, 335m, together 20, × best Trainer | ≥ 7.00 | 6.00 | missed |",
        "| ptv2, 335m, together 20, share of the matrix peak | ≥ 25.0% | 24.0% | missed |",
    ]
    assert aims([figure("trainer", 6.0), figure("together", 1.0, 8)])[2:] == []


def test_growth_is_of_a_step_of_all_lanes() -> None:
    rows = growth([figure("alone", 0.1), figure("together", 0.05, 4)])
    assert rows[2:] == ["| 1 | 100.00 | 1.00 | 100.00 | 0.00 |", "| 4 | 200.00 | 2.00 | 50.00 | 0.00 |"]


@pytest.fixture
def tick_at(monkeypatch: pytest.MonkeyPatch) -> Sequence[float]:
    """The seconds that the clock reads, one after another."""
    read: list[float] = []
    monkeypatch.setattr(time, "perf_counter", lambda: read.pop(0))
    return read


def test_the_clock_counts_as_many_steps_as_the_seconds_hold(tick_at: list[float]) -> None:
    clock = StepClock(torch.device("cpu"), warmup=3, steps=100, seconds=10.0)
    tick_at += [0.0, 50.0, 51.0]  # the start, and the two ends of the last warm-up step
    clock.start()
    assert [clock.tick() for _ in range(3)] == [False] * 3
    assert clock.counted == 10
    tick_at += [53.0, 55.0, 57.0, 59.0, 71.0]  # blocks of two steps
    assert [clock.tick() for _ in range(10)] == [False] * 9 + [True]
    assert (clock.seconds_before, clock.seconds_per_step) == (51.0, 2.0)
    assert clock.seconds_by_block == [1.0, 1.0, 1.0, 1.0, 6.0]


def test_the_clock_counts_no_more_steps_than_asked(tick_at: list[float]) -> None:
    clock = StepClock(torch.device("cpu"), warmup=3, steps=7)
    tick_at += [0.0, 1.0, 2.0, *range(3, 8)]
    clock.start()
    assert [clock.tick() for _ in range(10)].index(True) == 9
    assert clock.counted == 7


def test_an_even_sample_goes_once_through_the_epoch() -> None:
    batches = [[at] for at in range(77)]
    chosen = sorted(at for (at,) in even_sample(batches, 11))
    assert {later - earlier for earlier, later in pairwise(chosen)} == {7}
    assert sorted(even_sample(batches, 100)) == batches
