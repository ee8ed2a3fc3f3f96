"""A backbone over a team of processes: each holds a shard of every weight, and trains on its share of the rows (FSDP2).

`torch.distributed.fsdp.fully_shard` keeps fp32 shards, gathers a layer's weights when the layer runs, and adds up the
gradients of all processes where their shard lies, in fp32. Where products are of bf16, matrices are gathered as what
autocast makes of them in one process: half as much to send, and no copy to keep until the backward pass. So every row
comes to the same numbers; sums over rows alone have another order.

Processes must ask for the same collectives in the same order: each has as many micro-batches as the others (an empty
one where it has no rows left), nothing is tried or begun again, and whatever steers the loop is made equal first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from transformers.pytorch_utils import Conv1D

from bench.data.cutting import Cut, Shape, Tickets
from bench.data.table import Integers, ItemSizes
from bench.model.ranks import Outputs, Ranks, Result

FP32 = MixedPrecisionPolicy()
BF16 = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
FEW = 0.05  # of a layer's numbers, that each process may hold whole beside its shard of the matrices


class _Passage(nn.Module):
    """The root of a sharded model, through which all work goes: what stands outside the layers is gathered for it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, work: Callable[[], Result]) -> Result:
        return work()


class TeamRanks(Ranks):
    """This process among those of the default process group, which is there already."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.count, self.device = dist.get_rank(), dist.get_world_size(), device
        self._mesh = DeviceMesh.from_group(dist.group.WORLD, device.type)  # type: ignore[arg-type]
        self._passage: Any = None

    def shard(self, model: nn.Module, layers: Sequence[nn.Module], half: bool = False) -> None:
        """Divide a model, which the first process has in main memory and the others without values (`meta`).

        A layer at a time is whole on each device, and last what stands outside the layers. With `half` matrices are
        gathered in bf16 for their products; each process then holds whole what else its layers have. ValueError when
        the processes' models are not of one shape.
        """
        if not hasattr(FSDPModule, "set_force_sum_reduction_for_comms"):
            raise ValueError("--shard needs a newer torch")
        self._compare(model)
        whole = {weight for weight in model.parameters() if not weight.dim()}  # they cannot be divided
        for weight in whole:
            self._fill(weight)
        self._passage = _Passage(model)
        filled: set[nn.Parameter] = set()
        for part in [*layers, self._passage]:
            own = [weight for weight in part.parameters() if not isinstance(weight, DTensor) and weight not in whole]
            if not filled.isdisjoint(own):
                raise ValueError("--shard: layers of this model share weights with one another")
            rest = None
            if part is not self._passage:
                rest = _beside_matrices(part, own) if half else None
                _hook_forward(part)
            for weight in own:
                self._fill(weight)
            filled.update(own)
            whole.update(rest or ())
            fully_shard(part, mesh=self._mesh, mp_policy=FP32 if rest is None else BF16, ignored_params=whole)
            assert isinstance(part, FSDPModule)
            part.set_gradient_divide_factor(1.0)  # gradients are sums: each row's loss is a share of the whole batch's
            part.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        for module in model.modules():
            for places in (module._buffers, vars(module)):  # some families keep tensors that are neither
                for name, tensor in places.items():
                    if isinstance(tensor, Tensor):
                        places[name] = self._sent(tensor)

    def _compare(self, model: nn.Module) -> None:
        shapes = [(name, tuple(weight.shape)) for name, weight in model.named_parameters()]
        if any(other != shapes for other in self._gathered(shapes)):
            raise ValueError("the processes of the team have not loaded the same model")

    def _fill(self, weight: nn.Parameter) -> None:
        """Give a weight, and all who share it, the first process's values on this one's device."""
        values = nn.Parameter(self._sent(weight.detach()), requires_grad=weight.requires_grad)
        torch.utils.swap_tensors(weight, values)  # type: ignore[no-untyped-call]

    def _sent(self, tensor: Tensor) -> Tensor:
        """The first process's values, on this one's device."""
        here = tensor.to(self.device) if not self.rank else torch.empty_like(tensor, device=self.device)
        here = here.contiguous()
        dist.broadcast(here, src=0)
        return here

    def pass_through(self, work: Callable[[], Result]) -> Result:
        output: Result = self._passage(work)
        if not torch.is_grad_enabled():
            self._passage.reshard()  # else the backward pass ends so
        return output

    def deal(self, sizes: ItemSizes, tickets: Tickets, cut: Callable[[Tickets], Sequence[Cut]]) -> list[Cut]:
        """Rows are dealt by their length, so that shares take alike long."""
        shares = [_share(sizes, tickets, rank, self.count) for rank in range(self.count)]
        of_ranks = [cut(tickets.of(share)) for share in shares]
        filler = _empty(cuts for cuts in of_ranks if cuts)
        mine = shares[self.rank]
        cuts = [Cut(mine[each.chosen], each.shape, each.covers) for each in of_ranks[self.rank]]
        return cuts + [filler] * (max(map(len, of_ranks)) - len(cuts))

    def collected(self, outputs: Outputs) -> Outputs:
        """On the device of this process, its own among them."""
        mine = [(cut, tuple(output.cpu() for output in of_cut)) for cut, of_cut in outputs if len(cut.chosen)]
        return [
            (cut, tuple(output.to(self.device) for output in of_cut))
            for of_rank in self._gathered(mine)
            for cut, of_cut in of_rank
        ]

    @torch.no_grad()
    def add_up(self, losses: Tensor, gradients: Mapping[str, Tensor], weights: Iterable[Tensor]) -> None:
        """FSDP has added up the gradients of what it divided; what each process has whole is added up here."""
        replicas = [weight.grad for weight in weights if not isinstance(weight, DTensor) and weight.grad is not None]
        tensors = [losses, *gradients.values(), *replicas]
        message = torch.cat([tensor.flatten() for tensor in tensors])  # one, of many small ones
        dist.all_reduce(message)
        sums = torch.split(message, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(tensors, [part.view_as(tensor) for part, tensor in zip(sums, tensors, strict=True)])

    def total(self, number: Tensor) -> Tensor:
        dist.all_reduce(number)
        return number

    def divides(self, tensor: Tensor) -> bool:
        return isinstance(tensor, DTensor)

    def part(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach()
        return tensor.to_local() if isinstance(tensor, DTensor) else tensor

    @torch.no_grad()
    def whole(self, tensor: Tensor) -> Tensor:
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def kept(self, tensor: Tensor) -> Tensor:
        whole = self.whole(tensor)
        return super().kept(whole) if not self.rank else torch.empty(0)

    def united(self, names: set[str]) -> set[str]:
        return set().union(*self._gathered(names))

    def smallest(self, number: int) -> int:
        return int(min(self._gathered(number)))

    def _gathered(self, value: Any) -> list[Any]:
        """What each process gives, in their order."""
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values


def _hook_forward(layer: nn.Module) -> None:
    """Have the hooks that gather a layer run where its model calls `forward` past them, as SqueezeBERT does."""
    forward, inside = layer.forward, [False]

    def enter(*_: object) -> None:
        inside[0] = True

    @wraps(forward)
    def hooked(*args: object, **kwargs: object) -> object:
        if inside[0]:
            inside[0] = False
            return forward(*args, **kwargs)
        return layer(*args, **kwargs)

    layer.register_forward_pre_hook(enter)
    layer.forward = hooked


def _beside_matrices(layer: nn.Module, own: Sequence[nn.Parameter]) -> set[nn.Parameter] | None:
    """Of a layer's own weights those that are no matrices; None where they are many, or there is no matrix."""
    matrices = {part.weight for part in layer.modules() if isinstance(part, nn.Linear | Conv1D)}
    rest = set(own) - matrices
    few = sum(weight.numel() for weight in rest) <= FEW * sum(weight.numel() for weight in own)
    return rest if few and not matrices.isdisjoint(own) else None


def _share(sizes: ItemSizes, tickets: Tickets, rank: int, count: int) -> Integers:
    """The numbers of a process's tickets: the longest items dealt first, there and back."""
    order = np.lexsort((-sizes.longest[tickets.items], tickets.owners))
    turns, seats = np.divmod(np.arange(len(order)), count)
    return np.sort(order[np.where(turns % 2, count - 1 - seats, seats) == rank])


def _empty(of_ranks: Iterable[Sequence[Cut]]) -> Cut:
    """A micro-batch without items, of the smallest shape that there is."""
    shapes = [cut.shape for cuts in of_ranks for cut in cuts]
    small = min(shapes, key=lambda shape: (shape.longest, shape.read, shape.width))
    return Cut(np.zeros(0, np.int64), Shape(small.width, small.length, small.fed, small.read, small.width))
