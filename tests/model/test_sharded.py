"""Matrices gathered in bf16 by a team are what autocast makes of fp32 ones: the same bits of losses and gradients.

What each process holds whole has sums over passes before those over processes, which is another order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.tensor import DTensor

from bench.model.sharded import TeamRanks
from bench.model.sharded_loading import load_sharded
from bench.model.source import find_model
from tests.model.families import FAMILIES
from tests.perf import zoo

HALVED = ("bert", "gpt2", "llama", "t5")
WHOLE = ("albert", "deberta-v2", "xlnet")  # a layer, or a matrix in it, that is used twice; no linear layers
PAST_HOOKS = ("squeezebert",)  # its layers' `forward` is called; convolutions for linear layers


def gathered_types(model: Any) -> set[torch.dtype]:
    """Of matrices inside layers while they run."""
    found = set()
    for part in model.modules():
        if isinstance(part, torch.nn.Linear):
            part.register_forward_hook(lambda part, *_: found.add(part.weight.dtype))
    return found


def numbers(folder: Path, ranks: TeamRanks, half: bool, checkpointing: bool) -> dict[str, Any]:
    """A loss of this process's rows, what weights of layers were in the pass, and all gradients of two passes."""
    backbone = load_sharded(find_model(str(folder)), ranks, "bf16", checkpointing, half)
    types = gathered_types(backbone.encoder)
    generator = torch.Generator().manual_seed(ranks.rank)
    weights = dict(backbone.model.named_parameters())
    for weight in weights.values():
        weight.requires_grad_(True)
    losses, options = [], {"use_cache": False} if backbone.causal else {}
    for _ in range(2):  # gradients are added up
        ids = torch.randint(5, 30, (3, 9), generator=generator)

        def work(ids: torch.Tensor = ids) -> torch.Tensor:
            with backbone.autocast():
                answer = backbone.encoder(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
            return answer.last_hidden_state.float().square().mean()

        loss = ranks.pass_through(work)
        loss.backward()
        losses.append(loss.detach())
    kept = [weight for weight in weights.values() if not isinstance(weight, DTensor)]
    ranks.add_up(torch.stack(losses), {}, kept)
    gradients = {name: ranks.whole(weight.grad) for name, weight in weights.items() if weight.grad is not None}
    divided = {name for name, weight in weights.items() if isinstance(weight, DTensor)}
    return {"losses": losses, "gradients": gradients, "types": types, "divided": divided}


def process(rank: int, folders: dict[str, Path], meeting: Path, checkpointing: bool) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}/meeting", rank=rank, world_size=2)
    ranks = TeamRanks(torch.device("cpu"))
    found = {
        name: [numbers(folder, ranks, half, checkpointing) for half in (True, False)]
        for name, folder in folders.items()
    }
    torch.save(found, meeting / f"found-{rank}")
    dist.destroy_process_group()


@pytest.fixture(scope="module", params=[False, True], ids=["kept", "remade"])
def found(request, tmp_path_factory) -> list[dict[str, Any]]:
    root = tmp_path_factory.mktemp("sharded")
    folders = {name: FAMILIES[name](root / name) for name in (*HALVED, *WHOLE)}
    folders |= {name: zoo.write(name, root / name) for name in PAST_HOOKS}
    mp.spawn(process, args=(folders, root, request.param), nprocs=2)
    return [torch.load(root / f"found-{rank}", weights_only=False) for rank in range(2)]


@pytest.mark.parametrize("name", [*HALVED, *WHOLE, *PAST_HOOKS])
def test_losses_and_gradients_have_the_same_bits(name, found):
    assert_same_bits(found, name)


@pytest.mark.slow
def test_of_every_family(tmp_path):
    folders = {name: FAMILIES[name](tmp_path / name) for name in FAMILIES}
    mp.spawn(process, args=(folders, tmp_path, False), nprocs=2)
    of_ranks = [torch.load(tmp_path / f"found-{rank}", weights_only=False) for rank in range(2)]
    for name in FAMILIES:
        assert_same_bits(of_ranks, name)
    halved = [name for name in FAMILIES if torch.bfloat16 in of_ranks[0][name][0]["types"]]
    assert len(halved) > 30


def assert_same_bits(found: list[dict[str, Any]], name: str) -> None:
    for of_rank in found:
        half, full = of_rank[name]
        assert half["losses"] == full["losses"]
        assert half["gradients"].keys() == full["gradients"].keys()
        assert len(half["gradients"]) > 10
        for weight, gradient in half["gradients"].items():
            twin = full["gradients"][weight]
            assert gradient.dtype == torch.float32
            if weight in half["divided"]:
                assert torch.equal(gradient, twin), (name, weight)
            else:
                torch.testing.assert_close(gradient, twin, rtol=1e-6, atol=1e-7, msg=weight)


@pytest.mark.parametrize("name", [*HALVED, *WHOLE, *PAST_HOOKS])
def test_matrices_of_layers_come_in_bf16_where_that_is_the_same(name, found):
    half, full = found[0][name]
    assert torch.bfloat16 not in full["types"]
    assert (torch.bfloat16 in half["types"]) == (name in HALVED and name != "gpt2")  # whose matrices are Conv1D
    assert half["divided"] <= full["divided"]
    assert (half["divided"] < full["divided"]) == (name in HALVED)
