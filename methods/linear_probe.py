"""Linear probe: a linear head on a frozen backbone (Alain and Bengio 2016, arXiv:1610.01644)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.source import ModelSource


@method("linear_probe")
class LinearProbe(Method):
    """Nothing but the linear head trains, on the last layer's states: what a task yields without any tuning."""

    usual = True

    learning_rate: float = 1e-3

    space = {"learning_rate": (1e-3, 3e-3, 1e-2), "dropout": (0.1, 0.0)}

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        if self.head != "linear":
            return f"{self.name} trains a linear head only: with head={self.head} there is nothing to train"
        return super().unfit(task, model)

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.attachment import Attachment

        return Attachment()
