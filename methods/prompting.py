"""Discrete prompting: label words scored in the task's cloze form, without any training.

With demonstrations before the query it is in-context learning (Brown et al. 2020, arXiv:2005.14165, section 2);
without, a zero-shot cloze question (Schick and Schütze 2021, arXiv:2001.07676, section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from bench.model.needs import HeadKind
from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.source import ModelSource

_OF_TRAINING = ("learning_rate", "weight_decay", "optimizer", "schedule", "warmup", "clip", "dropout")


@method("prompting")
class Prompting(Method):
    """Nothing trains: the language-model head scores label words after `shots` solved train examples.

    Each seed draws its own demonstrations, classes taking turns; without any, all seeds give the same number.
    """

    shots: int = Field(0, ge=0)
    head: HeadKind = "verbalizer"

    space = {"shots": (0, 4, 16)}

    @model_validator(mode="after")
    def _nothing_of_training(self) -> Prompting:
        for name in _OF_TRAINING:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"nothing trains, so {name} would change nothing; leave it out")
        return self

    @property
    def trains(self) -> bool:
        return False

    def demonstrations(self) -> int:
        return self.shots

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        if not task.has_cloze:
            return f"{self.name} scores words in a cloze form, and task {task.name!r} has none"
        if self.head != "verbalizer":
            return f"{self.name} trains nothing, so that a linear head would stay as it was drawn"
        return super().unfit(task, model)

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.attachment import Attachment

        return Attachment()
