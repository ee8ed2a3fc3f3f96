"""Biases of a frozen model that train, row by row, so that lanes share the backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from bench.errors import CannotShare
from bench.model.attachment import Attachment, chosen_weights
from bench.model.backbone import Backbone
from bench.model.named_tensors import NamedTensors
from bench.model.prompts import Prompts
from bench.model.sharing import ChangedModel, check_sharing
from bench.model.sites import Bias, Sites
from bench.model.twin import Twin
from bench.task import Task


class RowBiases(Attachment):
    """A copy of every weight whose name `chosen` accepts, which are all biases that modules add to what they give.

    `with_lm_head`, `chosen` and `chosen_are` as in Weights, which does the same to a backbone of its own; what is
    stored is the same too. CannotShare for a model that adds one of them in another way.
    """

    def __init__(
        self, backbone: Backbone, task: Task, with_lm_head: bool, chosen: Callable[[str], bool], chosen_are: str
    ) -> None:
        super().__init__()
        weights = chosen_weights(backbone, task, with_lm_head, chosen, chosen_are)
        self.sites = _sites(backbone, task, weights)
        self.biases = NamedTensors(weights, weights, backbone.device)
        twin = Twin(backbone)
        twin.fill()
        parameters = dict(twin.backbone.model.named_parameters())
        changed = ChangedModel(twin.backbone, {name: parameters[name] for name in weights})
        check_sharing(backbone, task, self.sites, changed)

    def make(self) -> Prompts:
        return Prompts(changes=dict(self.biases.named_parameters()), sites=self.sites)


def _sites(backbone: Backbone, task: Task, weights: Mapping[str, Tensor]) -> Sites:
    """The modules that have these biases. CannotShare where one is another module's, or that of a word's score, which
    is asked of states and not of rows.
    """
    names = {id(weight): name for name, weight in weights.items()}
    reached = {id(module) for part in backbone.reached(task) for module in part.modules()}
    sites: list[tuple[str, Bias]] = []
    for path, module in backbone.model.named_modules():
        for own, weight in module.named_parameters(recurse=False):
            if id(weight) in names:
                name = names[id(weight)]
                if own != "bias" or id(module) not in reached:
                    raise CannotShare(f"{name} is no bias that a row passes")
                sites.append((path, Bias(name)))
    return tuple(sites)
