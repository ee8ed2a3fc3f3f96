"""Matrices in 8 and 4 bits: bitsandbytes' numbers, a product as in bf16, and all that stands on linear layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.data.batches import collate
from bench.errors import UsageError
from bench.model.captured import Graphs
from bench.model.flops import network_of
from bench.model.loading import load_backbone
from bench.model.probe import Probe
from bench.model.quantized import KINDS, QuantizedLinear, check_kernels, quantize
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.registry import find_suite
from bench.train.compiling import Compiling, decide
from bench.train.options import Options
from bench.train.run_data import RunData
from tests.conftest import pieces
from tests.train.test_company import assert_equal_bits, trained

functional = pytest.importorskip("bitsandbytes.functional")
bnb = pytest.importorskip("bitsandbytes.nn")

CPU, RTE = torch.device("cpu"), find_suite("superglue").task("rte")
ROUNDING = 0.02  # of states in bf16, by norm
PRECISIONS = pytest.mark.parametrize("precision", ["int8", "nf4"])
PROMPTS, BY_ROW = ("prompt_tuning", "ptuning_v1", "ptv2", "linear_probe"), ("lora", "ia3", "adalora", "bitfit")
REAL = Path(__file__).parents[3] / "shared" / "real" / "models"


@pytest.fixture(autouse=True)
def _bitsandbytes_runs_as_written() -> Iterator[None]:
    """It compiles what it does on a CPU, anew for each shape, which takes seconds, and comes to the same numbers."""
    with torch.compiler.set_stance("force_eager"):
        yield


def layer(rows: int = 40, columns: int = 48, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(columns, rows, bias=bias).requires_grad_(False)


def quantized(precision: str, linear: nn.Linear, device: torch.device = CPU) -> QuantizedLinear:
    return KINDS[precision](linear, device)


def theirs(precision: str, linear: nn.Linear) -> torch.Tensor:
    """The numbers that bitsandbytes' own layer stands for."""
    rows, columns = linear.weight.shape
    if precision == "nf4":
        own = bnb.Linear4bit(columns, rows, bias=False, quant_type="nf4", compress_statistics=True)
        own.weight = bnb.Params4bit(linear.weight.bfloat16(), quant_type="nf4").to("cpu")
        return functional.dequantize_4bit(own.weight, own.weight.quant_state)
    own = bnb.Int8Params(linear.weight.bfloat16(), requires_grad=False).to("cpu")
    return (own.CB.double() * own.SCB.double()[:, None] / 127).to(torch.bfloat16)


@PRECISIONS
@pytest.mark.parametrize("shape", [(40, 48), (3, 5), (64, 64), (7, 129)])
def test_the_numbers_are_those_of_bitsandbytes_own_layers(precision, shape):
    linear = layer(*shape)
    found = quantized(precision, linear).matrix()
    assert (found.dtype, found.shape) == (torch.bfloat16, linear.weight.shape)
    torch.testing.assert_close(found, theirs(precision, linear), rtol=0 if precision == "nf4" else 2**-8, atol=0)
    off = (found.float() - linear.weight).norm() / linear.weight.norm()
    assert off < {"int8": 0.01, "nf4": 0.15}[precision]


@PRECISIONS
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_is_that_of_the_matrix_and_keeps_nothing_for_the_way_back(precision, bias):
    linear = layer(bias=bias)
    module = quantized(precision, linear)
    states = torch.randn(2, 5, 48, requires_grad=True)
    kept: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.shape), lambda _: None):
        found = module(states)
    assert kept == []
    expected = nn.functional.linear(states.detach().bfloat16(), module.matrix())
    assert torch.equal(found, expected + linear.bias.bfloat16() if bias else expected)
    gradients = torch.randn(2, 5, 40).bfloat16()
    found.backward(gradients)
    assert torch.equal(states.grad, (gradients @ module.matrix()).float())


@PRECISIONS
def test_what_a_row_comes_to_does_not_depend_on_a_large_one_beside_it(precision):
    """As it does in LLM.int8()'s own product, which takes a column out of int8 where any row is large."""
    module, rows = quantized(precision, layer()), torch.randn(4, 48)
    beside = rows.clone()
    beside[3, 5] = 50.0
    assert torch.equal(module(rows)[:3], module(beside)[:3])


def test_llm_int8s_own_product_would_depend_on_it():
    own = bnb.Linear8bitLt(48, 40, has_fp16_weights=False, threshold=6.0)
    own.load_state_dict(layer().state_dict())
    own, rows = own.to("cpu").eval(), torch.randn(4, 48).half()
    beside = rows.clone()
    beside[3, 5] = 50.0
    assert not torch.equal(own(rows)[:3], own(beside)[:3])


@PRECISIONS
def test_matrices_of_layers_alone_are_in_few_bits_and_sizes_are_the_models_own(workshop, precision):
    backbone, plain = workshop.backbone(precision=precision), workshop.backbone()
    few = {name for name, part in backbone.model.named_modules() if isinstance(part, QuantizedLinear)}
    linear = {name for name, part in plain.model.named_modules() if isinstance(part, nn.Linear)}
    assert few == {name for name in linear if ".layer." in name}
    outside = {part.weight.dtype for name, part in backbone.model.named_modules() if name in linear - few}
    assert (len(few), outside) == (2 * 6, {torch.bfloat16})
    assert backbone.embeddings.weight.dtype == torch.float32
    assert backbone.geometry == plain.geometry
    assert network_of(backbone, RTE, []) == network_of(plain, RTE, [])


@PRECISIONS
@pytest.mark.parametrize(
    "family", ["bert", "albert", "deberta", "xlnet", "falcon", "llama", "mixtral", "gemma3", "t5", "bart"]
)
def test_states_are_those_of_a_bf16_model_with_the_same_numbers(family, precision, folders):
    source = find_model(str(folders(family)))
    plain, backbone = (load_backbone(source, CPU, each, frozen=True) for each in ("bf16", precision))
    for name, part in backbone.model.named_modules():
        if isinstance(part, QuantizedLinear):
            plain.model.get_submodule(name).weight.data = part.matrix()
    (expected, _), (alone, beside) = _states(plain), _states(backbone)
    assert _off(alone, expected) < ROUNDING
    assert _off(beside, alone) < ROUNDING  # what was proved of padding


@torch.no_grad()
def _states(backbone) -> tuple[torch.Tensor, torch.Tensor]:
    """The states of a short text, alone and beside a longer one."""
    probe = Probe(backbone, backbone.positions)
    with backbone.autocast():
        return probe.states([probe.short])[0].float(), probe.states([probe.short, probe.long])[0].float()


def _off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).detach().norm() / expected.detach().norm())


@PRECISIONS
def test_a_model_without_linear_layers_is_refused(precision, folders):
    with pytest.raises(UsageError, match=f"--precision {precision}: the model's layers have no matrices"):
        load_backbone(find_model(str(folders("gpt2"))), CPU, precision, frozen=True)


def test_a_layer_that_does_more_than_a_product_stays_as_it_is():
    class Adds(nn.Linear):
        """As Falcon has it."""

        def forward(self, states):
            return states @ self.weight.T + self.bias

    class Chooses(nn.Linear):
        """As a router does."""

        def forward(self, states):
            return super().forward(states).softmax(-1)

    model = nn.ModuleDict({"adds": Adds(48, 40), "chooses": Chooses(48, 40)})
    quantize([model], "int8", CPU)
    assert [type(part).__name__ for part in model.values()] == ["Int8Linear", "Chooses"]


def test_a_device_without_kernels_is_said(monkeypatch):
    def missing(*_, **__):
        raise RuntimeError("no binary\nfor this version")

    monkeypatch.setattr(functional, "int8_vectorwise_quant", missing)
    with pytest.raises(UsageError) as refused:
        check_kernels("int8", CPU)
    assert str(refused.value) == "--precision int8: bitsandbytes does not run on cpu: no binary for this version"


# Training: each lane's status is "done" only where what should train has had gradients and has moved, and nothing else.


@pytest.mark.parametrize(("precision", "methods"), [("nf4", PROMPTS), ("int8", BY_ROW)], ids=["prompts", "by row"])
def test_lanes_train_and_together_have_the_bits_of_lanes_alone(workshop, precision, methods):
    cells = workshop.cells(*methods, seeds=(0, 1))
    together = trained(workshop, cells, False, precision)
    for cell, beside in zip(cells[::2], together[::2], strict=True):
        assert_equal_bits(trained(workshop, [cell], False, precision)[0], beside)


@PRECISIONS
@pytest.mark.parametrize("method", ["lora", "ia3", "bitfit"])
def test_what_cannot_share_trains_in_a_quantised_model_of_its_own(workshop, precision, method):
    from bench.train.loop import fit

    (cell,) = workshop.cells(method)
    backbone = workshop.backbone(frozen=False, precision=precision)
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 200)
    assert (lane.status, lane.reason) == ("done", None)
    assert any(isinstance(part, QuantizedLinear) for part in backbone.model.modules())


@PRECISIONS
def test_activations_that_are_made_again_change_no_gradient(workshop, precision):
    from tests.model.test_checkpointing import gradients

    plain, again = (gradients(workshop, "ptv2", each, precision)[0] for each in (False, True))
    assert plain.keys() == again.keys()
    for name, gradient in plain.items():
        assert torch.equal(gradient, again[name]), name
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("shared", [True, False], ids=["by row", "in the model"])
@PRECISIONS
def test_lora_is_that_of_peft_over_the_same_quantised_numbers(workshop, precision, shared):
    """PEFT's own model in fp32 with the matrices put in whose numbers the few bits stand for."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    (cell,) = workshop.cells("lora", settings={"lora": {"r": 3, "alpha": 5}})
    backbone = workshop.backbone(frozen=shared, precision=precision)
    lane = workshop.lane(cell, backbone)
    for weight in lane.training_tensors().values():
        nn.init.normal_(weight, std=0.3)
    batch = collate(lane.data.scored, backbone.pad_id, backbone.device)
    model = AutoModel.from_pretrained(workshop.model)
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "token_type_ids": batch.types}
    for part in model.encoder.modules():
        if isinstance(part, nn.Linear):
            part.weight.data = theirs(precision, part).float()
    plain = model.eval()(**inputs).last_hidden_state[batch.mask.bool()]
    config = LoraConfig(r=3, lora_alpha=5, target_modules=["query", "value"])
    own = get_peft_model(model, config).eval()
    stored = {name.replace("bert.", "base_model.model.", 1): each for name, each in lane.attachment.stored().items()}
    given = own.load_state_dict(stored, strict=False)
    assert given.unexpected_keys == []
    with torch.no_grad(), backbone.autocast():
        expected = own(**inputs).last_hidden_state[batch.mask.bool()]
        found = backbone.hidden(batch, Stacked([lane.attachment.prompts()]))[batch.mask.bool()].float()
    assert _off(found, expected) < ROUNDING
    assert _off(expected, plain) > 0.1


@PRECISIONS
def test_layers_are_not_compiled(workshop, precision):
    backbone = workshop.backbone(precision=precision)
    decide(backbone, Options(CPU, compile="on"), Compiling(), pieces(workshop.cells("ptv2"))[0], RunData())
    assert backbone.compiled is False


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="real models are not here")
@pytest.mark.parametrize(("precision", "most"), [("bf16", 0.01), ("int8", 0.05), ("nf4", 0.3)])
def test_states_of_a_real_model(precision, most):
    """MiniLM-L6: measured 0.008, 0.03 and 0.25 of their norm; a model of six layers of 384 has no room for NF4."""
    source = find_model(str(REAL / "MiniLM-L6-mlm"))
    expected, found = (_states(load_backbone(source, CPU, each, frozen=True))[0] for each in ("fp32", precision))
    assert _off(found, expected) < most


# On a GPU rows of many cells share micro-batches, and passes are captured as graphs.

GPU = {"device": "cuda", "token_budget": 1024}


@pytest.mark.gpu
@PRECISIONS
def test_on_a_gpu_the_numbers_are_those_of_a_processor(precision):
    linear = layer(512, 1024)
    there, here = (quantized(precision, linear, torch.device(each)).matrix().cpu().float() for each in ("cuda", "cpu"))
    off = (there - here).abs().max() / here.abs().max()
    assert off <= 2**-6  # int8: a step of 1/127 and bf16's rounding; nf4: the mean of all scales, summed otherwise
    assert all(buffer.is_cuda for buffer in quantized(precision, linear, torch.device("cuda")).buffers())


@pytest.mark.gpu
@PRECISIONS
def test_on_a_gpu_lanes_together_have_the_bits_of_lanes_alone(workshop, precision):
    cells = workshop.cells(*PROMPTS, *BY_ROW, seeds=(0, 1), budget={"steps": 20})
    together = trained(workshop, cells, True, precision, **GPU)
    for cell, beside, again in zip(cells, together, trained(workshop, cells, True, precision, **GPU), strict=True):
        assert_equal_bits(again, beside)
        assert_equal_bits(trained(workshop, [cell], True, precision, **GPU)[0], beside)


@pytest.mark.gpu
@PRECISIONS
def test_on_a_gpu_what_is_captured_has_the_bits_of_what_is_not(workshop, monkeypatch, precision):
    cells = workshop.cells("ptv2", "prompt_tuning", "lora", seeds=(0, 1), budget={"steps": 20, "evaluations": 4})
    given: list[bool] = []
    capture, begin = Graphs.capture, Graphs.__init__

    def watched(graphs, body):
        graph = capture(graphs, body)
        given.append(graph is not None)
        return graph

    def without(graphs, device, captures):
        begin(graphs, device, False)

    monkeypatch.setattr(Graphs, "capture", watched)
    captured = trained(workshop, cells, True, precision, **GPU)
    assert any(given)
    monkeypatch.setattr(Graphs, "__init__", without)
    for one, other in zip(captured, trained(workshop, cells, True, precision, **GPU), strict=True):
        assert_equal_bits(one, other)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "bits"), [("bf16", 16), ("int8", 8), ("nf4", 4.13)])
def test_on_a_gpu_a_matrix_takes_its_bits_and_a_pass_that_of_one_matrix_more(precision, bits):
    linears = [layer(4096, 4096, bias=False) for _ in range(8)]
    before = torch.cuda.memory_allocated()
    if precision == "bf16":
        modules = [each.to("cuda", torch.bfloat16) for each in linears]
    else:
        modules = [quantized(precision, each, torch.device("cuda")) for each in linears]
    assert (torch.cuda.memory_allocated() - before) * 8 / (8 * 4096**2) == pytest.approx(bits, rel=0.01)
    if precision == "bf16":
        return
    states = torch.randn(64, 4096, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    found = states
    for module in modules:
        found = module(found)
    found.sum().backward()
    states_and_gradients = 2 * (len(modules) + 1) * 2 * states.numel()
    assert torch.cuda.max_memory_allocated() - held < 2 * (2 * 4096**2) + states_and_gradients
    assert states.grad.isfinite().all()
