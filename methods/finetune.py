"""Fine-tuning: every weight of the backbone trains (Devlin et al. 2019, arXiv:1810.04805, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone


@method("finetune")
class FineTuning(Method):
    """All weights with a new linear head, or with the language-model head on label words (`head=verbalizer`)."""

    reference = True
    usual = True

    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    warmup: float = 0.06

    # beyond 5e-5 as small models want it (Turc et al. 2019, arXiv:1908.08962, go up to 3e-4)
    space = {"learning_rate": (2e-5, 1e-5, 5e-5, 1e-4, 3e-4)}

    @property
    def changes_weights(self) -> bool:
        return True

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.attachment import Weights

        return Weights(backbone, task, with_lm_head=self.head == "verbalizer")
