"""Prompt tuning: trainable vectors in front of the input, nothing else (Lester et al. 2021, arXiv:2104.08691)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from bench.data.slots import Slots
from bench.model.needs import HeadKind
from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from torch import Tensor

    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.source import ModelSource

COMMON_WORDS = 5000  # "vocab" draws from the most common tokens, which the paper's vocabulary lists first


@method("prompt_tuning")
class PromptTuning(Method):
    """P slots in front of the whole sequence, with the verbalizer head.

    `init` is section 3.2 of the paper: `uniform` on [-0.5, 0.5]; `vocab`, embeddings of tokens drawn without
    replacement from the first 5000; `classes`, embeddings of the label words (the mean over a word's subwords), the
    rest drawn as in `vocab`; `text`, the embeddings of `init_text`, repeated or cut to P.
    """

    length: int = Field(100, ge=1)
    init: Literal["uniform", "vocab", "classes", "text"] = "vocab"
    init_text: str | None = None
    learning_rate: float = 0.3
    weight_decay: float = 1e-5
    optimizer: Literal["adamw", "adafactor"] = "adafactor"
    schedule: Literal["linear", "constant"] = "constant"
    dropout: float = Field(0.0, ge=0, lt=1)
    head: HeadKind = "verbalizer"

    space = {"learning_rate": (0.3, 0.1, 0.03, 0.01), "length": (100, 20, 50), "init": ("vocab", "classes", "uniform")}

    @model_validator(mode="after")
    def _text_where_needed(self) -> PromptTuning:
        if (self.init == "text") != bool(self.init_text and self.init_text.strip()):
            raise ValueError("init=text and init_text go together")
        return self

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        if self.init == "classes" and not task.classes:
            return f"{self.name}.init={self.init}, but task {task.name!r} has no classes"
        return super().unfit(task, model)

    def slots(self) -> Slots:
        return Slots(self.length, "front")

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.attachment import SlotPrompts

        return SlotPrompts(self._initial(backbone, task))

    def _initial(self, backbone: Backbone, task: Task) -> Tensor:
        """(P, H) initial vectors."""
        import torch

        table = backbone.word_embeddings
        if self.init == "uniform":
            return torch.empty(self.length, table.shape[1]).uniform_(-0.5, 0.5).to(table.device)
        vectors: list[Tensor] = []
        if self.init == "classes":
            from bench.model.heads import word_tokens

            words = [task.words.get(name, name) for name in task.classes]
            vectors = [table[word_tokens(backbone.tokenizer, word)].mean(dim=0) for word in words][: self.length]
        if self.init == "text":
            ids = backbone.tokenizer(self.init_text, add_special_tokens=False)["input_ids"]
            repeated = (ids * (self.length // len(ids) + 1))[: self.length]
            return table[repeated].clone()
        special = set(backbone.tokenizer.all_special_ids)
        common = [token for token in range(min(COMMON_WORDS, table.shape[0])) if token not in special]
        num_missing = self.length - len(vectors)
        while num_missing > 0:  # a tiny vocabulary is gone through more than once
            indices = torch.randperm(len(common))[:num_missing].tolist()
            vectors += [table[common[at]] for at in indices]
            num_missing -= len(indices)
        return torch.stack(vectors)
