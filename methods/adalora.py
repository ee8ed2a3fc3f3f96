"""AdaLoRA: low-rank additions that share out a budget of ranks (Zhang et al. 2023, arXiv:2303.10512), through PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from bench.registry import method
from bench.task import Task

from .peft import AUTO, Adapter, targets_of

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone


@method("adalora")
class AdaLoRA(Adapter):
    """Additions P·Λ·Q that begin with rank `init_r` each and keep `target_r` on average, where they matter most.

    All ranks stay for the share `initial` of the steps, then the budget falls as a cubic curve, and for the share
    `final` the ranks stay as they are. `targets` as for lora.
    """

    target_r: int = Field(8, ge=1)
    init_r: int = Field(12, ge=2)
    alpha: float = Field(16.0, gt=0)
    initial: float = Field(0.1, ge=0, lt=1)
    final: float = Field(0.3, ge=0, lt=1)
    interval: int = Field(1, ge=1)  # steps between two allotments
    orthogonality: float = Field(0.1, ge=0)  # weight of the penalty that keeps P and Q orthogonal
    adapter_dropout: float = Field(0.0, ge=0, lt=1)  # on what enters Q; `dropout` is the head's
    targets: str = Field(AUTO, min_length=1)
    learning_rate: float = 1e-3
    warmup: float = 0.06

    space = {"learning_rate": (1e-3, 5e-4, 2e-3), "target_r": (8, 2, 4)}

    @model_validator(mode="after")
    def _something_to_allot(self) -> AdaLoRA:
        if self.target_r >= self.init_r:
            raise ValueError("target_r must be less than init_r, or no rank could be lost")
        if self.initial + self.final >= 1:
            raise ValueError("initial and final together must leave steps between them")
        return self

    def fields(self, backbone: Backbone) -> dict[str, Any]:
        return {
            "peft_type": "ADALORA",
            "target_r": self.target_r,
            "init_r": self.init_r,
            "lora_alpha": self.alpha,
            "lora_dropout": self.adapter_dropout,
            "deltaT": self.interval,
            "orth_reg_weight": self.orthogonality,
            "target_modules": targets_of(self.targets, "ADALORA", backbone),
        }

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.injected import peft_config

        from .parts.rank_allocation import RankAllocated, RowRankAllocated

        kind = RowRankAllocated if backbone.shared else RankAllocated
        return kind(backbone, task, peft_config(self.fields(backbone)), self.initial, self.final)
