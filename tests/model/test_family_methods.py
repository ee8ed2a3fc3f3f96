"""Every method on every family, with either head: what trains, what is stored, what stays the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from bench.check.finding import Skipped
from bench.check.rig import Rig
from bench.model.needs import HeadKind
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.registry import methods
from bench.request import RunRequest
from bench.runner import Runner
from bench.store.store import Store
from bench.train.options import Options
from tests.conftest import SMALL, Quiet, Workshop, pieces
from tests.model.conformance import check
from tests.model.families import ENCODER_DECODERS, FAMILIES
from tests.suites.layouts import LAYOUTS

HEADS: tuple[HeadKind, ...] = ("linear", "verbalizer")
# Families that are tried with every method and either head: one of each way of reading, and of attention of its own.
WHOLE = ("bert", "gpt2", "t5", "xlnet")
# What is tried of each of the others: prompts at slots, prefixes, weights, and something of all that is left. The last
# two come in turn, so that every method meets families of many kinds.
ALWAYS = (("prompt_tuning", "verbalizer"), ("ptv2", "linear"))
WEIGHTS = (("finetune", "verbalizer"), ("lora", "linear"), ("finetune", "linear"), ("lora", "verbalizer"))
LEFT_OUT = (("autoprompt", "linear"), ("prompting", "linear"), ("linear_probe", "verbalizer"))  # by the plan
WORDLESS = ("pegasus", "t5gemma")  # no verbalizer


def cases() -> list[Any]:
    """Every family with every method and head; what is not tried with every run is marked `slow`."""
    made = []
    others = [family for family in FAMILIES if family not in WHOLE]
    every = [(method, head) for method in methods() for head in HEADS]
    rest = [each for each in every if each not in (*ALWAYS, *WEIGHTS, *LEFT_OUT)]
    for family in FAMILIES:
        quick = every
        if family in others:
            at = others.index(family)
            quick = [*ALWAYS, WEIGHTS[at % len(WEIGHTS)], rest[at % len(rest)]]
            if family in WORDLESS:
                quick = [(method, "linear") for method, _ in quick]
        for method, head in every:
            marks = [] if (method, head) in quick else [pytest.mark.slow]
            made.append(pytest.param(family, method, head, marks=marks))
    return made


@pytest.fixture(scope="module")
def rigs(folders, fixed_superglue):
    """The rig of a family, which keeps its data and plans."""

    @cache
    def rig(family: str) -> Rig:
        return Workshop(folders(family), fixed_superglue).rig()

    return rig


@pytest.mark.parametrize(("family", "method", "head"), cases())
def test_a_method_trains_what_it_should_is_repeated_and_restored_bit_for_bit(family, method, head, rigs):
    try:
        check(rigs(family), method, head)
    except Skipped as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5", "bart", "xlnet"])
def test_two_equal_cells_give_equal_results(family, folders, fixed_superglue):
    """As `check` asks of every combination, but without anything that tells the two runs apart."""
    workshop = Workshop(folders(family), fixed_superglue)
    for method, head in (("ptv2", "linear"), ("finetune", "verbalizer")):
        rig, other = workshop.rig(), workshop.rig()
        (cell,) = rig.cells(method, "rte", head=head)
        first, second = rig.trained(cell), other.trained(cell)
        assert all(torch.equal(tensor, second.lane.stored()[name]) for name, tensor in first.lane.stored().items())
        assert first.scores() == second.scores()


GROUPED = (
    "llama", "qwen2", "qwen3", "gemma", "gemma2", "glm", "mixtral", "gemma3_text", "gemma3", "falcon-groups", "t5gemma",
)  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prefixs_size_is_the_formulas(family, folders, fixed_superglue):
    """P·2·L·kv_heads·head_dim and the head; of an encoder–decoder the encoder's layers."""
    workshop = Workshop(folders(family), fixed_superglue)
    rig = workshop.rig()
    (cell,) = rig.cells("ptv2", "rte", head="linear")
    (lane,), _ = rig.lanes([cell])
    sizes = {name: tensor.numel() for name, tensor in lane.stored().items()}
    kv_heads = {"falcon": 1, **dict.fromkeys(GROUPED, 2)}.get(family, 4)
    assert sizes == {"prefixes": 6 * 2 * 2 * kv_heads * 8, "head.linear.weight": 2 * 32, "head.linear.bias": 2}


OF_EVERY_KIND = [
    family if family in ("t5", "bart", "mbart", "pegasus", "xlnet") else pytest.param(family, marks=pytest.mark.slow)
    for family in (*ENCODER_DECODERS, "xlnet")
]


@pytest.mark.parametrize("family", OF_EVERY_KIND)
def test_tasks_of_every_kind_run_where_a_text_has_no_token_in_front_or_a_decoder_reads_it_on(family, folders, tmp_path):
    """Classes, candidates of several tokens, tags and spans; with a verbalizer where a task has words and the method
    likes one."""
    tasks, settings = (
        ("wic", "copa", "conll04", "squad1"),
        {name: {**SMALL[name]} for name in ("ptv2", "prompt_tuning")},
    )
    if find_model(str(folders(family))).wordless:
        settings["prompt_tuning"]["head"] = "linear"
    for task in tasks:
        LAYOUTS[task](tmp_path / "data")
    cells = plan(
        RunRequest(suite="universal", tasks=tasks, methods=("ptv2", "prompt_tuning", "finetune", "lora"),
                   models=(str(folders(family)),), seeds=(0,), data=tmp_path / "data", set=settings, steps=3,
                   batch_size=4, max_length=40, evaluations=1, train_rows=20, scored_rows=8),
        "fp32",
    ).cells  # fmt: skip
    store = Store.create(tmp_path / "out")
    records = Runner(store, Options(torch.device("cpu")), Quiet()).run(pieces(cells))
    assert {(record.status, record.reason) for record in records} == {("done", None)}
    assert len(records) == 4 * 4
