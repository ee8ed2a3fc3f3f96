"""P-tuning (v1): prompt vectors inside the cloze pattern from a small network (Liu et al. 2021, arXiv:2103.10385)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from bench.data.slots import Slots
from bench.model.needs import HeadKind
from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone

INIT_STD = 0.02


@method("ptuning_v1")
class PTuningV1(Method):
    """Slots at the pattern's `[P]` marks (in front where there is no pattern), verbalizer head.

    The backbone is frozen, as in the P-tuning v2 paper's column "PT"; `tune_backbone` trains it too, at
    `backbone_learning_rate`, as the first paper's code does on SuperGLUE. The `lstm` has the width of the embeddings
    each way, as that code has it; an `encoder_hidden` of half of it is what the same authors' code has for LAMA.
    """

    length: int = Field(6, ge=1)  # prompt vectors, shared out over the pattern's [P] marks
    encoder: Literal["lstm", "mlp", "none"] = "lstm"
    encoder_hidden: int | None = Field(None, ge=1)  # default: the width of the embeddings, each way for the lstm
    tune_backbone: bool = False
    backbone_learning_rate: float = Field(1e-5, gt=0)
    learning_rate: float = 1e-4
    dropout: float = Field(0.0, ge=0, lt=1)
    head: HeadKind = "verbalizer"

    space = {"learning_rate": (1e-4, 1e-3, 5e-3, 1e-2, 3e-2), "length": (6, 3, 12), "encoder": ("lstm", "mlp")}

    @model_validator(mode="after")
    def _long_enough(self) -> PTuningV1:
        if self.encoder == "lstm" and self.length < 2:
            raise ValueError("an lstm encoder needs length of at least 2 (its recurrent weights would not train)")
        return self

    @property
    def changes_weights(self) -> bool:
        return self.tune_backbone

    def slots(self) -> Slots:
        return Slots(self.length, "pattern")

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        import torch
        from torch import nn

        from bench.model.attachment import SlotPrompts, Weights
        from bench.model.reparam import BiLSTM, relu_mlp

        width = backbone.geometry.embedding
        encoder: nn.Module | None = None
        if self.encoder == "lstm":
            encoder = BiLSTM(width, self.encoder_hidden or width)
        elif self.encoder == "mlp":
            encoder = relu_mlp(width, self.encoder_hidden or width)
        # without an encoder to scale them, vectors start at the size of the reference code's other initial values
        vectors = torch.randn(self.length, width) * (1.0 if encoder is not None else INIT_STD)
        prompts = SlotPrompts(vectors, encoder)
        if not self.tune_backbone:
            return prompts
        return Weights(
            backbone, task, self.head == "verbalizer", slots=prompts, learning_rate=self.backbone_learning_rate
        )
