"""A method from outside with two trainable parts, one file on the public face, held to what ours are held to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.check.finding import Skipped
from bench.check.methods import CHECKS, settings_are_possible
from bench.check.rig import Rig
from bench.errors import UsageError
from bench.registry import build, find_method, load_plugin
from bench.train.optim import Moved

PLUGIN = Path(__file__).parent.parent / "plugins/residual_prompts.py"
NAME = "residual_prompts"


@pytest.fixture(autouse=True)
def _plugin():
    load_plugin(PLUGIN)


@pytest.fixture(scope="module")
def rig(tiny_bert, fixed_superglue):
    return Rig("superglue", str(tiny_bert), fixed_superglue)


@pytest.mark.parametrize("head", ["linear", "verbalizer"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_rules_of_methods(rig, check, head):
    try:
        check(rig, NAME, "rte", head)
    except Skipped as reason:
        pytest.fail(f"nothing is skipped here: {reason}")


def test_its_settings_are_possible():
    assert settings_are_possible(NAME) == ""
    with pytest.raises(UsageError, match="mlp_learning_rate=0 is not possible"):
        build(find_method(NAME), {"mlp_learning_rate": 0})


def attached(workshop, **settings):
    """(method, attachment, head) before the first step."""
    (cell,) = workshop.cells(NAME, settings={NAME: {"length": 3, **settings}})
    lane = workshop.lane(cell, workshop.backbone())
    return lane.method, lane.attachment, lane.head


def test_what_is_stored_are_vectors_plus_the_mlp_of_them(workshop):
    _, attachment, _ = attached(workshop)
    down, _, up, norm = attachment.encoder.mlp
    vectors = attachment.vectors
    inner = torch.relu(vectors @ down.weight.T + down.bias) @ up.weight.T + up.bias
    moments = inner - inner.mean(-1, keepdim=True)
    expected = vectors + moments / (inner.var(-1, keepdim=True, unbiased=False) + norm.eps).sqrt()
    stored = attachment.stored()
    assert set(stored) == {"slots"}
    torch.testing.assert_close(stored["slots"], expected.detach())


@pytest.mark.parametrize(
    ("settings", "rates"),
    [({}, {"vectors": 0.03, "encoder": 0.03}), ({"mlp_learning_rate": 1e-3}, {"vectors": 0.03, "encoder": 1e-3})],
)
def test_each_part_has_its_learning_rate_and_is_moved_once(workshop, settings, rates):
    method, attachment, head = attached(workshop, **settings)
    groups = Moved(method, attachment, [head], 6).groups()
    rate_of = {id(tensor): rate for members, rate in groups for tensor in members}
    assert {name: rate_of[id(tensor)] for name, tensor in attachment.named_parameters()} == {
        name: rates[name.partition(".")[0]] for name, _ in attachment.named_parameters()
    }
    assert sum(len(members) for members, _ in groups) == len(list(attachment.parameters()))


def test_prompts_beside_weights_keep_a_learning_rate_of_their_own(workshop):
    from bench.model.attachment import SlotPrompts, Weights

    (cell,) = workshop.cells("ptuning_v1")
    backbone = workshop.backbone(frozen=False)
    lane = workshop.lane(cell, backbone)
    prompts = SlotPrompts(torch.randn(4, 32), nn.Linear(32, 32), 0.5)
    both = Weights(backbone, lane.task, True, slots=prompts, learning_rate=0.25)
    counts = {rate: len(members) for members, rate in Moved(lane.method, both, [nn.Identity()], 6).groups()}
    assert counts == {lane.method.learning_rate: 1, 0.5: 2, 0.25: len(both.weights())}


def test_a_plan_with_it_loads_no_torch():
    code = (
        "import sys; from pathlib import Path; from bench.registry import load_plugin; "
        f"load_plugin(Path({str(PLUGIN)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
