"""AutoPrompt: trigger tokens found by a gradient-guided search (Shin et al. 2020, arXiv:2010.15980, section 2)."""

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

_OF_AN_OPTIMIZER = ("learning_rate", "weight_decay", "optimizer", "schedule", "warmup", "clip", "dropout")


@method("autoprompt")
class AutoPrompt(Method):
    """Words of the vocabulary at the pattern's `[P]` marks, the same for every input; backbone frozen, verbalizer head.

    A step puts `candidates` + 2 batches through the backbone: one for the gradient, and on another the trigger as it
    is and each candidate. `init=mask` begins with [MASK] everywhere, or as `vocab` in a model that has none or reads to
    the left alone. `label_words=search` looks for `words_per_class` words a class before the first step.
    """

    length: int = Field(5, ge=1)  # trigger tokens, shared out over the pattern's [P] marks
    candidates: int = Field(10, ge=1)  # tried in each step, for one position
    init: Literal["mask", "vocab"] = "mask"
    exclude_names: bool = False  # tokens that begin with a capital letter are no candidates
    label_words: Literal["task", "search"] = "task"
    words_per_class: int = Field(3, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    head: HeadKind = "verbalizer"

    # more candidates would be another budget
    space = {"length": (5, 3, 10), "init": ("mask", "vocab"), "exclude_names": (False, True)}

    @model_validator(mode="after")
    def _nothing_of_an_optimizer(self) -> AutoPrompt:
        fields = type(self).model_fields
        for name in _OF_AN_OPTIMIZER:
            if getattr(self, name) != fields[name].default:
                raise ValueError(f"a search has no optimizer, so {name} would change nothing; leave it out")
        if self.label_words == "task" and self.words_per_class != fields["words_per_class"].default:
            raise ValueError("words_per_class goes with label_words=search")
        return self

    @property
    def passes_per_step(self) -> int:
        return self.candidates + 2

    @property
    def num_label_words(self) -> int:
        return self.words_per_class if self.label_words == "search" else 0

    def slots(self) -> Slots:
        return Slots(self.length, "pattern")

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        if not task.has_cloze:
            return f"{self.name} searches words for a cloze form, and task {task.name!r} has none"
        if self.head != "verbalizer":
            return f"{self.name} trains nothing but words, so that a linear head would stay as it was drawn"
        if self.num_label_words and not task.words:
            return f"{self.name}.label_words=search, but task {task.name!r} scores its candidates, not words of classes"
        return super().unfit(task, model)

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        import torch

        from .parts.trigger_tokens import TriggerTokens

        allowed = self._allowed(backbone, task)
        mask_id = backbone.tokenizer.mask_token_id
        if self.init == "mask" and mask_id is not None and not backbone.causal:
            ids = torch.full((self.length,), mask_id)
        else:
            tokens = allowed.nonzero().flatten()
            ids = tokens[torch.randint(len(tokens), (self.length,))]
        return TriggerTokens(backbone, ids, allowed, self.candidates)

    def _allowed(self, backbone: Backbone, task: Task) -> Tensor:
        """(V,) which tokens may stand in the trigger: text, but no label word. UsageError when hardly any is left."""
        from bench.errors import UsageError
        from bench.model.heads import word_tokens
        from bench.model.vocabulary import text_tokens

        from .parts.trigger_tokens import capitalised_tokens

        size = len(backbone.word_embeddings)
        allowed = text_tokens(backbone.tokenizer, size)
        if self.exclude_names:
            allowed &= ~capitalised_tokens(backbone.tokenizer, size)
        if not self.num_label_words:  # words that are searched for are left out when they are found
            for word in task.words.values():
                allowed[word_tokens(backbone.tokenizer, word)] = False
        if int(allowed.sum()) < 2:
            raise UsageError(f"{self.name}: the model's vocabulary leaves no words to search among")
        return allowed
