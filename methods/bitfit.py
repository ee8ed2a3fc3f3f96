"""BitFit: only the backbone's bias terms and the head train (Ben Zaken et al. 2022, arXiv:2106.10199, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.source import ModelSource


@method("bitfit")
class BitFit(Method):
    """Every bias: of queries, keys, values, outputs, both layers of the feed-forward part and the LayerNorms.

    With `head=verbalizer` those of the language-model head train too.
    """

    learning_rate: float = 1e-3

    space = {"learning_rate": (1e-3, 7e-4, 4e-4, 1e-4)}

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        from bench.model.source import weight_shapes

        names = weight_shapes(model)
        if names is not None and not any(is_bias(name) and _in_a_layer(name) for name in names):
            return f"the layers of model {model.name!r} have no bias terms"
        return super().unfit(task, model)

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.attachment import Weights
        from bench.model.row_biases import RowBiases

        kind = RowBiases if backbone.shared else Weights
        return kind(backbone, task, self.head == "verbalizer", chosen=is_bias, chosen_are="bias terms")


def _in_a_layer(name: str) -> bool:
    """Whether a parameter belongs to a numbered layer, not to embeddings or to the language-model head."""
    return any(part.isdigit() for part in name.split("."))


def is_bias(name: str) -> bool:
    """Whether a parameter is a bias by its name (`query.bias`; `q_bias`, as some families have it)."""
    return name.rpartition(".")[2] == "bias" or name.endswith("_bias")
