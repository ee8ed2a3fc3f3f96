"""What is written of a cell whose method PEFT does not know: the model's own weights that it has changed."""

from __future__ import annotations

from typing import Any

from bench.export.tuned import Tuned, Written
from bench.model.attachment import Attachment, trainable_weights


def changed_of(tuned: Tuned) -> Written:
    """All of a checkpoint where all of it has trained, else the weights that have; nothing where the head alone has.

    UsageError for what is neither.
    """
    attachment, task = tuned.attachment, tuned.resolved.task
    weights = attachment.weights()
    if tuned.slots.count:
        place = "inside the task's pattern" if tuned.inside else "in front of the text"
        raise tuned.refused(f"its prompt stands {place}, and PEFT has no adapter of this kind")
    if not weights:
        if type(attachment) is not Attachment:
            raise tuned.refused("PEFT has no adapter of this kind")
        return Written("head")
    whole: Any = tuned.backbone.model
    # under the names of the class that a user loads: the language-model head's class has the base model inside
    inside = "" if tuned.with_words or whole is whole.base_model else f"{whole.base_model_prefix}."
    tensors = {name.removeprefix(inside): weight.detach() for name, weight in weights.items()}
    every = {name for name, _ in trainable_weights(tuned.backbone, task, tuned.with_words)}
    return Written("checkpoint" if every <= set(weights) else "weights", tensors=tensors)
