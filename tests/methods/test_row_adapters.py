"""Adapters and biases by row: PEFT's numbers over a backbone that stays as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.errors import CannotShare
from bench.model import changes
from bench.model.injected import Injected
from bench.model.row_adapter import RowAdapter
from bench.model.row_biases import RowBiases
from bench.registry import build, find_method, find_suite
from bench.train.loop import fit

RTE = find_suite("superglue").task("rte")
SETTINGS = {
    "lora": {"r": 3, "alpha": 5, "adapter_dropout": 0.3, "targets": "all-linear", "learning_rate": 1e-2},
    "ia3": {"learning_rate": 1e-2},
    "adalora": {"init_r": 4, "target_r": 2, "adapter_dropout": 0.3, "learning_rate": 1e-2},
    "bitfit": {"learning_rate": 1e-2},
    "peft": {"config": "LORA:r=2,use_rslora=true,init_lora_weights=gaussian", "learning_rate": 1e-2},
}
METHODS = pytest.mark.parametrize("method", SETTINGS)


def trained(workshop, method, shared, precision="fp32", **settings):
    """A lane after four steps, and the loss of each."""
    budget = {"steps": 4, "evaluations": 1}
    (cell,) = workshop.cells(method, settings={method: {**SETTINGS[method], **settings}}, budget=budget)
    backbone = workshop.backbone(frozen=shared, precision=precision)
    lane, losses = workshop.lane(cell, backbone), []
    fit(backbone, [lane], 10_000, lambda progress: losses.extend(progress.losses))
    assert (lane.status, lane.reason) == ("done", None)
    return lane, losses


@METHODS
def test_each_step_is_that_of_the_changed_model(workshop, method):
    by_row, losses = trained(workshop, method, shared=True)
    changed, expected = trained(workshop, method, shared=False)
    assert isinstance(by_row.attachment, RowAdapter | RowBiases)
    assert not isinstance(changed.attachment, RowAdapter | RowBiases)
    assert losses == pytest.approx(expected, abs=2e-6)
    assert max(expected) - min(expected) > 0.01


@METHODS
def test_in_bf16_each_step_is_that_of_the_changed_model_but_for_rounding(workshop, method):
    """A loss of about 0.7 is off by its fifth digit where PEFT rounds in the same places; BitFit rounds once more."""
    _, losses = trained(workshop, method, shared=True, precision="bf16")
    _, expected = trained(workshop, method, shared=False, precision="bf16")
    assert losses == pytest.approx(expected, abs=5e-3)


@METHODS
def test_names_and_initial_values_are_those_that_the_changed_model_stores(workshop, method):
    (cell,) = workshop.cells(method, settings={method: SETTINGS[method]})
    for precision in ("fp32", "bf16"):
        by_row, changed = (
            workshop.lane(cell, workshop.backbone(frozen=shared, precision=precision)).stored()
            for shared in (True, False)
        )
        assert by_row.keys() == changed.keys()
        assert all(torch.equal(tensor, by_row[name]) for name, tensor in changed.items())


def tree(model):
    return [(path, type(module), id(module)) for path, module in model.named_modules()]


@METHODS
def test_the_backbone_is_the_same_bit_for_bit_and_module_for_module(workshop, method):
    (cell,) = workshop.cells(method, settings={method: SETTINGS[method]})
    backbone = workshop.backbone()
    weights = dict(backbone.model.named_parameters())
    values = {name: weight.clone() for name, weight in weights.items()}
    modules = tree(backbone.model)
    fit(backbone, [workshop.lane(cell, backbone)], 300)
    assert tree(backbone.model) == modules
    after = dict(backbone.model.named_parameters())
    assert {name: id(weight) for name, weight in after.items()} == {
        name: id(weight) for name, weight in weights.items()
    }
    assert all(torch.equal(after[name], value) and not after[name].requires_grad for name, value in values.items())


@METHODS
def test_what_trains_is_told_by_the_names_of_the_model(workshop, method):
    (cell,) = workshop.cells(method, settings={method: SETTINGS[method]})
    names = [name for name in workshop.lane(cell, workshop.backbone()).training_tensors() if "head" not in name]
    assert all(name.startswith(("attachment.adapter.bert.", "attachment.biases.bert.")) for name in names)
    assert not any("ranknum" in name for name in names)


EMBEDDINGS = "LORA:target_modules=word_embeddings+query"
NOT_BY_ROW = (
    "LORA:use_dora=true", "LORA:init_lora_weights=pissa", "LORA:init_lora_weights=olora", "LORA:lora_bias=true",
    "LORA:bias=all", EMBEDDINGS, '{"peft_type": "LORA", "modules_to_save": ["LayerNorm"]}', "LOHA:r=2", "VERA:r=4",
)  # fmt: skip


@pytest.mark.parametrize("config", NOT_BY_ROW)
def test_what_is_no_addition_or_scaling_of_a_row_changes_a_backbone_of_its_own(workshop, config):
    method = build(find_method("peft"), {"config": config})
    backbone = workshop.backbone()
    values = {name: weight.clone() for name, weight in backbone.model.named_parameters()}
    with pytest.raises(CannotShare):
        method.attach(backbone, RTE)
    assert all(torch.equal(weight, values[name]) for name, weight in backbone.model.named_parameters())
    assert type(method.attach(workshop.backbone(frozen=False), RTE)) is Injected


@pytest.mark.parametrize(
    ("config", "alone"),
    [
        ("LORA:r=2,target_modules=query,lora_dropout=0.1", False), ("IA3", False), ("ADALORA:target_r=2", False),
        ("LORA:use_dora=false,bias=none", False), (EMBEDDINGS, False),
        *((config, True) for config in NOT_BY_ROW if config != EMBEDDINGS),
    ],
)  # fmt: skip
def test_a_plan_knows_which_configurations_are(config, alone):
    assert build(find_method("peft"), {"config": config}).changes_weights is alone


def test_a_verbalizers_biases_train_in_a_backbone_of_its_own(workshop):
    method = build(find_method("bitfit"), {"head": "verbalizer"})
    with pytest.raises(CannotShare, match=r"cls\.predictions\.bias is no bias that a row passes"):
        method.attach(workshop.backbone(), RTE)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("method", "function"),
    [("lora", "_with_low_rank"), ("adalora", "_with_low_rank"), ("ia3", "_scaled"), ("bitfit", "_with_bias")],
)
def test_a_change_that_one_site_of_many_does_not_make_is_seen(workshop, method, function, precision, monkeypatch):
    """Were a module given other rows, or its bias read elsewhere, the states would be off as they are here."""
    right, calls = getattr(changes, function), []

    def wrong_once(active, change, *states):
        calls.append(change)
        return states[-1] if change == calls[0] else right(active, change, *states)

    monkeypatch.setattr(changes, function, wrong_once)
    with pytest.raises(CannotShare, match=r"changed by row .* off by"):
        find_method(method)().attach(workshop.backbone(precision=precision), RTE)


def test_what_has_been_shown_is_not_tried_again(workshop, monkeypatch):
    backbone = workshop.backbone()
    method = find_method("lora")()
    method.attach(backbone, RTE)
    monkeypatch.setattr("bench.model.sharing._difference", lambda *_: pytest.fail("it was tried twice"))
    method.attach(backbone, RTE)


def test_hooks_that_have_nothing_to_do_leave_a_model_as_it_is(workshop):
    backbone, inputs = workshop.backbone(), {"input_ids": torch.tensor([[2, 20, 21, 3]])}
    before = backbone.model(**inputs).logits
    for method in ("lora", "ia3", "bitfit", "lora"):
        find_method(method)().attach(backbone, RTE)
    assert torch.equal(backbone.model(**inputs).logits, before)
    hooks = [len(module._forward_hooks) for module in backbone.model.modules()]
    assert set(hooks) == {0, 1}


def test_an_adapters_tensors_are_fp32_over_a_backbone_in_bf16(workshop):
    attachment = find_method("lora")().attach(workshop.backbone(precision="bf16"), RTE)
    assert {weight.dtype for weight in attachment.parameters()} == {torch.float32}
    assert all(isinstance(weight, nn.Parameter) for weight in attachment.prompts().changes.values())
