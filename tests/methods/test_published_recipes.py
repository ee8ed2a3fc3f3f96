"""What results/FIDELITY.md says of recipes: optimizers, schedules, rates, starts, dropout, and that it names tests."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.model.attachment import Attachment
from bench.model.heads import LinearHead
from bench.model.loading import load_backbone
from bench.model.prompts import Prompts
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.registry import build, find_method, find_suite, methods
from bench.train.adamw import AdamW, FusedAdamW
from bench.train.optim import Moved, Optimization, schedule_factor
from bench.train.training import Training
from tests.model.families import FAMILIES

ROOT = Path(__file__).parents[2]
RTE = find_suite("superglue").task("rte")

# optimizer, schedule, learning rate, warm-up, weight decay, dropout, head
RECIPES = {
    "finetune": ("adamw", "linear", 2e-5, 0.06, 0.01, 0.1, "linear"),
    "prompt_tuning": ("adafactor", "constant", 0.3, 0.0, 1e-5, 0.0, "verbalizer"),
    "ptuning_v1": ("adamw", "linear", 1e-4, 0.0, 0.0, 0.0, "verbalizer"),
    "ptv2": ("adamw", "linear", 5e-3, 0.0, 0.0, 0.1, "linear"),
    "mpt2": ("adamw", "linear", 5e-3, 0.0, 0.0, 0.1, "linear"),
    "prefix_tuning": ("adamw", "linear", 1e-3, 0.0, 0.0, 0.0, "verbalizer"),
    "bitfit": ("adamw", "linear", 1e-3, 0.0, 0.0, 0.1, "linear"),
    "linear_probe": ("adamw", "linear", 1e-3, 0.0, 0.0, 0.1, "linear"),
    "lora": ("adamw", "linear", 5e-4, 0.06, 0.0, 0.1, "linear"),
    "ia3": ("adafactor", "linear", 3e-3, 0.06, 0.0, 0.1, "linear"),
    "adalora": ("adamw", "linear", 1e-3, 0.06, 0.0, 0.1, "linear"),
}
LENGTHS = {"prompt_tuning": 100, "ptuning_v1": 6, "ptv2": 20, "mpt2": 20, "prefix_tuning": 10}
RATES = {  # the rates that trials try, from the lowest to the highest
    "finetune": (1e-5, 3e-4), "ptuning_v1": (1e-4, 3e-2), "ptv2": (5e-3, 6e-2), "prefix_tuning": (3e-4, 3e-3),
    "bitfit": (1e-4, 1e-3), "linear_probe": (1e-3, 1e-2), "adalora": (5e-4, 2e-3), "prompt_tuning": (1e-2, 0.3),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_each_methods_defaults_are_its_recipe(name):
    made = build(find_method(name), {})
    found = made.optimizer, made.schedule, made.learning_rate, made.warmup, made.weight_decay, made.dropout, made.head
    assert found == RECIPES[name]
    assert made.clip == 1.0
    assert getattr(made, "length", None) == LENGTHS.get(name)


@pytest.mark.parametrize("name", RATES)
def test_trials_try_the_rates_of_the_recipe(name):
    rates = find_method(name).space["learning_rate"]
    assert (min(rates), max(rates)) == RATES[name]


@pytest.mark.parametrize("warmup", [0.0, 0.1])
def test_the_rate_rises_over_the_warm_up_and_falls_in_a_line_to_nothing(warmup):
    method = build(find_method("ptv2"), {"warmup": warmup})
    rates = [schedule_factor(method, step, 20) for step in range(20)]
    rising = round(20 * warmup)
    expected = [at / rising for at in range(rising)] + [(20 - at) / (20 - rising) for at in range(rising, 20)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(("apart", "kind"), [(False, AdamW), (True, FusedAdamW)], ids=["ours", "torch's"])
def test_adamw_has_the_usual_betas_and_decays_every_tensor_that_trains(apart, kind):
    """Of gradients that are 0 a step leaves the decay alone: the rate times a hundredth of every tensor."""
    own, other = nn.LayerNorm(3), nn.LayerNorm(3)
    nn.init.constant_(own.bias, 2.0)
    other.load_state_dict(own.state_dict())
    optimizer = torch.optim.AdamW(other.parameters(), lr=2e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    method = build(find_method("finetune"), {"warmup": 0.0, "schedule": "constant"})
    optimization = Optimization([Moved(method, Attachment(), [own], 10)], apart)
    assert isinstance(optimization._optimizer, kind)
    for scale in (0.0, 1e-3, 2e-8):
        for mine, theirs in zip(own.parameters(), other.parameters(), strict=True):
            mine.grad.fill_(scale)
            theirs.grad = torch.full_like(theirs, scale)
        optimization.prepare()
        optimization.move()
        optimizer.step()
        for mine, theirs in zip(own.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, atol=0, rtol=3e-7)
        if not scale:
            assert own.bias.tolist() == pytest.approx([2.0 * (1 - 2e-5 * 0.01)] * 3, rel=1e-7)


def test_the_gradients_of_all_that_trains_are_clipped_together_at_norm_1(workshop):
    (cell,) = workshop.cells("ptv2")
    lane = workshop.lane(cell, workshop.backbone())
    tensors = list(lane.training_tensors().values())
    optimization = Optimization([Moved(lane.method, lane.attachment, [lane.head], lane.num_steps)])
    for tensor in tensors:
        tensor.grad.fill_(3.0)
    optimization.prepare()
    optimization.move()
    norm = torch.stack([tensor.grad.norm() for tensor in tensors]).norm()
    assert norm.item() == pytest.approx(1.0, abs=1e-4)


def test_a_linear_head_starts_normal_with_a_deviation_of_two_hundredths_and_a_bias_of_0():
    torch.manual_seed(0)
    head = LinearHead(1024, 64, bias=True)
    assert head.linear.weight.detach().std().item() == pytest.approx(0.02, rel=0.02)
    assert head.linear.weight.detach().mean().item() == pytest.approx(0.0, abs=5e-4)
    assert head.linear.bias.abs().max() == 0


@pytest.mark.parametrize("reparam", ["none", "mlp"])
def test_ptv2_starts_normal_with_a_deviation_of_two_hundredths_and_biases_of_0(workshop, reparam):
    torch.manual_seed(0)
    settings = {"length": 256, "reparam": reparam}
    attachment = build(find_method("ptv2"), settings).attach(workshop.backbone(), RTE)
    assert attachment.vectors.detach().std().item() == pytest.approx(0.02, rel=0.03)
    for part in (each for each in attachment.modules() if isinstance(each, nn.Linear)):
        assert part.weight.detach().std().item() == pytest.approx(0.02, rel=0.05)
        assert part.bias.abs().max() == 0


def test_ptuning_v1_starts_as_torch_draws_an_embedding_and_small_without_a_network(workshop):
    torch.manual_seed(0)
    kind = find_method("ptuning_v1")
    for encoder, deviation in (("lstm", 1.0), ("mlp", 1.0), ("none", 0.02)):
        vectors = build(kind, {"length": 500, "encoder": encoder}).attach(workshop.backbone(), RTE).vectors
        assert vectors.detach().std().item() == pytest.approx(deviation, rel=0.05)


def first_loss(workshop, method, dropout, backbone_dropout):
    (cell,) = workshop.cells(
        method, settings={method: {"dropout": dropout}}, budget={"backbone_dropout": backbone_dropout}
    )
    backbone = workshop.backbone()
    lane = workshop.lane(cell, backbone)
    training = Training(backbone, [lane], 10_000)
    training.step([lane])
    training.read()
    return lane.last_loss


def test_the_backbones_own_dropout_is_off_unless_the_budget_turns_it_on(workshop):
    """Of the tiny BERT it is 0.1; the loss of a step without any dropout is that of the plain model."""
    plain = first_loss(workshop, "linear_probe", 0.0, False)
    (cell,) = workshop.cells("linear_probe", settings={"linear_probe": {"dropout": 0.0}})
    backbone = workshop.backbone()
    lane = workshop.lane(cell, backbone)
    items = [lane.data.train[number] for number in lane.next_batch()[0]]
    batch = collate(items, backbone.pad_id, backbone.device)
    with torch.no_grad():
        states = (
            backbone.model.eval()
            .bert(input_ids=batch.ids, attention_mask=batch.mask.long(), token_type_ids=batch.types)
            .last_hidden_state[:, 0]
        )
        targets = torch.tensor([item.targets[0] for item in items])
        expected = nn.functional.cross_entropy(lane.head.linear(states), targets)
    assert plain == pytest.approx(float(expected), abs=1e-5)
    assert abs(first_loss(workshop, "linear_probe", 0.0, True) - plain) > 1e-4


@pytest.mark.parametrize("method", ["linear_probe", "prefix_tuning"])
def test_a_methods_dropout_acts_on_a_linear_heads_input_and_on_prompt_vectors(workshop, method):
    """A linear probe has a head alone; prefix tuning's verbalizer head takes no dropout, its prefixes do."""
    assert abs(first_loss(workshop, method, 0.5, False) - first_loss(workshop, method, 0.0, False)) > 1e-4


def test_a_prefix_stays_visible_beyond_a_sliding_window(tmp_path):
    """In a decoder whose layers see 4 tokens the last of 30 sees the last layer's prefix, and not the first token."""
    folder = tmp_path / "windowed"
    shutil.copytree(FAMILIES["llama"](tmp_path / "llama"), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 4}
    (folder / "config.json").write_text(json.dumps(config))
    backbone = load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", True)
    shape, last = backbone.geometry, backbone.geometry.layers - 1

    @torch.no_grad()
    def states(ids, prompts):
        item = Item(0, (Row(ids, [0] * len(ids), [], [0]),), [0], [0], False)
        return backbone.hidden(collate([item], backbone.pad_id, backbone.device), Stacked([prompts]))[0]

    ids = list(range(20, 50))
    vectors = torch.randn(1, 2, shape.kv_heads, 3, shape.head_size, generator=torch.Generator().manual_seed(0))
    plain = states(ids, Prompts())
    prefixed = states(ids, Prompts(prefixes=vectors, layers=(last,)))
    assert ((prefixed - plain).abs().amax(dim=-1) > 1e-4).all()
    other_start = states([51, *ids[1:]], Prompts())
    torch.testing.assert_close(other_start[-1], plain[-1], atol=1e-6, rtol=0)
    assert (other_start[1] - plain[1]).abs().max() > 1e-4  # what is within the window does move


# --- the page itself


def rows_of_the_page():
    """(section, cells) of each row of each table of FIDELITY.md."""
    section = ""
    for line in (ROOT / "results/FIDELITY.md").read_text().splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        if line.startswith("|") and not line.startswith("| ---"):
            yield section, [cell.strip() for cell in line.strip("| ").split(" | ")]


def test_every_row_of_the_fidelity_page_names_tests_that_exist_or_says_by_reading():
    known = set(
        re.findall(r"^def (test_\w+)", "\n".join(path.read_text() for path in ROOT.glob("tests/**/*.py")), re.M)
    )
    for section, cells in rows_of_the_page():
        if cells[-1] == "shown by":
            continue
        row = " | ".join(cells)
        named = set(re.findall(r"`(test_\w+)`", row))
        assert named or "by reading" in row, (section, cells[0])
        assert named <= known, (section, cells[0], named - known)


def test_the_fidelity_page_has_a_section_for_every_method_with_a_recipe():
    sections = "\n".join({section for section, _ in rows_of_the_page()})
    assert [name for name in RECIPES if name not in sections] == []
    assert set(methods()) >= set(RECIPES)
