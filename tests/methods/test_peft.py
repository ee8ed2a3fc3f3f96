"""The methods through PEFT: they are what PEFT makes, train its parameters only, and refuse what it cannot do."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError

from bench.data.batches import collate
from bench.errors import UsageError
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked
from bench.plan.cells import plan
from bench.registry import build, find_method, find_suite
from bench.request import RunRequest
from bench.train.loop import fit

RTE = find_suite("superglue").task("rte")
HIDDEN, LAYERS = 32, 2  # of the tiny BERT
SHORT = {"steps": 2, "evaluations": 1}


def attach(workshop, method, **settings):
    torch.manual_seed(0)
    backbone = workshop.backbone(frozen=False)
    return build(find_method(method), settings).attach(backbone, RTE), backbone


def size(attachment) -> int:
    return sum(weight.numel() for weight in attachment.weights().values())


@pytest.mark.parametrize("shared", [True, False], ids=["by row", "in the model"])
def test_lora_gives_the_logits_of_pefts_own_model_with_the_same_weights(workshop, shared):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForMaskedLM

    settings = {"r": 3, "alpha": 5, "head": "verbalizer"}
    (cell,) = workshop.cells("lora", settings={"lora": settings})
    backbone = workshop.backbone(frozen=shared)
    lane = workshop.lane(cell, backbone)
    for weight in lane.training_tensors().values():
        torch.nn.init.normal_(weight, std=0.3)
    batch = collate(lane.data.scored, backbone.pad_id, backbone.device)
    model = AutoModelForMaskedLM.from_pretrained(workshop.model)
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "token_type_ids": batch.types}
    plain = model.eval()(**inputs).logits
    theirs = get_peft_model(model, LoraConfig(r=3, lora_alpha=5)).eval()
    given = {f"base_model.model.{name}": weight for name, weight in lane.attachment.stored().items()}
    assert theirs.load_state_dict(given, strict=False).unexpected_keys == []
    with torch.no_grad():
        expected = theirs(**inputs).logits[batch.mask.bool()]
        found = backbone.lm_logits(backbone.hidden(batch, Stacked([lane.attachment.prompts()]))[batch.mask.bool()])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    assert (expected - plain[batch.mask.bool()]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("targets", "modules", "widths"),
    [("auto", 2, (HIDDEN, HIDDEN)), ("query, key,value", 3, (HIDDEN, HIDDEN))],
)
def test_lora_trains_two_thin_matrices_per_target(workshop, targets, modules, widths):
    attachment, _ = attach(workshop, "lora", r=3, targets=targets)
    assert size(attachment) == LAYERS * modules * 3 * sum(widths)
    assert all(".lora_" in name for name in attachment.weights())


def test_lora_reaches_every_linear_layer_of_the_encoder_and_not_the_heads(workshop):
    attachment, _ = attach(workshop, "lora", r=1, targets="all-linear")
    assert size(attachment) == LAYERS * (4 * 2 * HIDDEN + 2 * 3 * HIDDEN)  # feed-forward: HIDDEN to 2 HIDDEN and back
    assert all(name.startswith("bert.encoder.") for name in attachment.weights())


def test_ia3_trains_a_scale_per_key_value_and_inner_activation(workshop):
    attachment, _ = attach(workshop, "ia3")
    # PEFT's "output.dense" is the attention's output too, whose input is HIDDEN wide
    assert size(attachment) == LAYERS * (HIDDEN + HIDDEN + HIDDEN + 2 * HIDDEN)


TYPES = ("LOHA:r=2", "VERA:r=4", "OFT:oft_block_size=4", "SHIRA:r=2", "FOURIERFT", "HRA:r=2", "ADALORA:target_r=2")


@pytest.mark.parametrize("config", [*TYPES, "ADAMSS:r=2", "PSOFT:r=2", "LORA:init_lora_weights=pissa"])
def test_torchs_own_generator_is_left_as_it_was_and_changes_nothing(workshop, config):
    """Some types draw by a seed of their own when they are put in, and some in every step."""
    (cell,) = workshop.cells("peft", settings={"peft": {"config": config}}, budget=SHORT)
    kept = []
    for seed in (1, 2):
        backbone = workshop.backbone(frozen=False)
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        lane = workshop.lane(cell, backbone)
        assert torch.equal(torch.get_rng_state(), before)
        fit(backbone, [lane], 300)
        kept.append(lane.stored())
    assert all(torch.equal(tensor, kept[1][name]) for name, tensor in kept[0].items())


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ("LOHA:module_dropout=0.5", "module_dropout"), ("LOKR:rank_dropout=0.5", "rank_dropout"),
        ("OFT:module_dropout=0.1,r=2", "module_dropout"),
    ],
)  # fmt: skip
def test_what_peft_drops_out_by_torchs_own_generator_is_refused(config, field):
    with pytest.raises(UsageError, match=f"PEFT draws {field} for all rows together, by torch's own generator"):
        build(find_method("peft"), {"config": config})
    build(find_method("peft"), {"config": "DELORA:module_dropout=0.5"})


@pytest.mark.parametrize("config", TYPES)
def test_other_types_train_and_are_restored_bit_for_bit(workshop, config):
    (cell,) = workshop.cells("peft", settings={"peft": {"config": config}}, budget=SHORT)
    backbone = workshop.backbone(frozen=False)
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 300)
    assert (lane.status, lane.reason) == ("done", None)
    fresh = workshop.backbone(frozen=False)
    again = workshop.lane(cell.model_copy(update={"seed": 9}), fresh)
    again.attachment.restore(lane.stored())
    batch = collate(lane.data.scored, backbone.pad_id, backbone.device)
    with torch.no_grad():
        found = [each.hidden(batch, Stacked([Prompts()])) for each in (backbone, fresh)]
    assert torch.equal(*found)


def test_an_adapters_dropout_acts_in_training_only_and_equal_cells_stay_equal(workshop):
    kept = []
    for rate in (0.5, 0.5, 0.0):
        settings = {"lora": {"adapter_dropout": rate, "learning_rate": 1e-2}}
        (cell,) = workshop.cells("lora", settings=settings, budget=SHORT)
        backbone = workshop.backbone(frozen=False)
        lane = workshop.lane(cell.model_copy(update={"seed": 0}), backbone)
        fit(backbone, [lane], 10_000)
        torch.rand(3)  # whatever else draws from torch's generator must not matter
        kept.append(lane.stored())
        batch = collate(lane.data.scored, backbone.pad_id, backbone.device)
        with torch.no_grad():
            lane.attachment.prompts()
            first, second = (backbone.hidden(batch, Stacked([Prompts()])) for _ in range(2))
        assert torch.equal(first, second)
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    assert any(not torch.equal(kept[0][name], kept[2][name]) for name in kept[0])


def test_one_configuration_has_one_spelling():
    kind = find_method("peft")
    spellings = [
        {"peft_type": "loha", "r": 4, "target_modules": ["query", "value"]},
        '{"target_modules": ["query", "value"], "r": 4, "peft_type": "LOHA"}',
        "LOHA:r=4,target_modules=query+value",
    ]
    assert len({build(kind, {"config": each}).config for each in spellings}) == 1


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("PREFIX_TUNING:num_virtual_tokens=4", "ptv2 or prefix_tuning"),
        ('{"peft_type": "PROMPT_TUNING"}', "prompt_tuning"),
        ("P_TUNING", "ptuning_v1"),
        ("ADALORA:total_step=4", "the cell's own number of steps"),
        ("LORA:r", "key=value"),
        ('{"r": 4}', "peft_type"),
        ("{r: 4}", "JSON"),
    ],
)
def test_a_config_that_cannot_be_served_is_refused_with_what_to_use(config, named):
    with pytest.raises(ValidationError, match=named):
        find_method("peft")(config=config)


@pytest.mark.parametrize(
    ("method", "settings", "reason"),
    [
        ("lora", {"targets": "no_such_layer"}, "no_such_layer"),
        ("ia3", {"targets": "no_such_layer"}, "no_such_layer"),
        ("peft", {"config": "LORRA:r=2"}, "has no type 'LORRA'"),
        ("peft", {"config": "LORA:rank=2"}, "rank"),
    ],
)
def test_what_peft_cannot_inject_is_one_error_with_its_reason(workshop, method, settings, reason):
    with pytest.raises(UsageError, match=reason):
        attach(workshop, method, **settings)


@pytest.mark.parametrize(
    ("model_type", "peft_type", "targets"),
    [
        ("bert", "LORA", ["query", "value"]), ("bert", "IA3", ["key", "output.dense", "value"]), ("nobody", "LORA", []),
        ("gemma4", "LORA", r".*language_model\..*\.(q_proj|v_proj)"), ("bert", "TRAINABLE_TOKENS", None),
    ],
)  # fmt: skip
def test_default_targets_are_names_a_pattern_or_none_at_all(model_type, peft_type, targets):
    from bench.model.injected import default_targets

    backbone = SimpleNamespace(model=SimpleNamespace(config=SimpleNamespace(model_type=model_type)))
    assert default_targets(backbone, peft_type) == targets


def test_without_the_package_its_methods_are_skipped_with_how_to_get_it_and_others_run(workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    grid = {"suite": "superglue", "tasks": ("rte",), "models": (str(workshop.model),), "data": workshop.data,
            "max_length": 32}  # fmt: skip
    lacking = "method '{}' needs the package peft: pip install 'tuning-bench[peft]'"
    planned = plan(RunRequest(methods=("lora", "ptv2", "adalora"), **grid), "fp32")
    assert {cell.method for cell in planned.cells} == {"ptv2"}
    assert [(skip.method, skip.reason) for skip in planned.skips] == [
        (name, lacking.format(name)) for name in ("lora", "adalora")
    ]
    with pytest.raises(UsageError) as refused:
        plan(RunRequest(methods=("lora", "peft"), **grid), "fp32")
    assert str(refused.value) == f"nothing can be run: {lacking.format('lora')}; {lacking.format('peft')}"
    with pytest.raises(UsageError, match=r"pip install 'tuning-bench\[peft\]'"):
        attach(workshop, "ia3")


def test_naming_the_methods_loads_neither_torch_nor_peft():
    import subprocess

    code = "import sys; from bench.registry import methods; assert 'lora' in methods(); assert not {'torch', 'peft'} & set(sys.modules)"  # noqa: E501
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
