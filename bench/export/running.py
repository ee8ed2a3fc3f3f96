"""What has been written, loaded as a user loads it, with transformers and PEFT, and held against the cell."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.errors import is_out_of_memory
from bench.export.tuned import Tuned, Written
from bench.model.stacked import Stacked

TOLERANCE = 1e-4  # largest difference of a hidden state between what is loaded and ours, both in fp32
PROBE_TOKENS = (9, 6)
WEIGHTS = "changed.safetensors"


def check_written(to: Path, tuned: Tuned, written: Written) -> None:
    """UsageError unless what lies in the folder gives for some tokens what the cell gives."""
    model = loaded(to, tuned, written)
    difference = max(_difference(model, tuned, written, count) for count in PROBE_TOKENS)
    if not difference <= TOLERANCE:
        theirs = "PEFT's model" if written.way == "adapter" else "transformers' model"
        raise tuned.refused(f"what {theirs} gives differs by {difference:.1e}")


def base_model(tuned: Tuned) -> Any:
    """The model that was tuned, as transformers loads it."""
    import transformers

    kind: Any = getattr(transformers, tuned.base_class)
    options: dict[str, Any] = {"revision": tuned.source.revision, "dtype": torch.float32}
    return kind.from_pretrained(tuned.source.path, trust_remote_code=bool(tuned.source.code), **options).eval()


def loaded(to: Path, tuned: Tuned, written: Written) -> Any:
    """The model of an exported folder."""
    if written.way == "checkpoint":
        import transformers

        kind: Any = getattr(transformers, tuned.base_class)
        return kind.from_pretrained(str(to), dtype=torch.float32, trust_remote_code=bool(tuned.source.code)).eval()
    base = base_model(tuned)
    if written.way == "weights":
        base.load_state_dict(load_file(to / WEIGHTS), strict=False)
    if written.way != "adapter":
        return base
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PeftModel.from_pretrained(base, str(to)).eval()


@torch.no_grad()
def _difference(model: Any, tuned: Tuned, written: Written, count: int) -> float:
    """Largest difference between what that model and ours give for so many tokens: hidden states, or word scores."""
    backbone, num_slots = tuned.backbone, tuned.slots.count
    ids = [int(at) for at in torch.arange(1, count + 1) * 7 % len(backbone.tokenizer)]
    types = [tuned.types[len(tuned.types) * at // count] for at in range(count)] if tuned.types else [0] * count
    fed = ids[:3] if backbone.decoder is not None else []
    theirs = _answer(model, tuned, written, ids, types, fed)
    read_on = [] if tuned.resolved.task.reads_tokens else fed
    row = Row(
        [backbone.pad_id] * num_slots + ids, [tuned.around.types[0]] * num_slots + types, list(range(num_slots)), [0],
        [], read_on,
    )  # fmt: skip
    batch = collate([Item(0, (row,), [0], [0], False)], backbone.pad_id, backbone.device)
    ours = backbone.hidden(batch, Stacked([tuned.attachment.prompts()]))
    if read_on:
        ours = ours[:, : len(fed)]
    states = getattr(theirs, "encoder_last_hidden_state" if fed and not read_on else "last_hidden_state", None)
    if states is None:  # the class with word scores: its states before that head are not always the last ones listed
        states, ours = theirs.logits, backbone.lm_logits(ours[0])[None]
    read = len(read_on or ids)
    return float((states[:, -read:] - ours[:, -read:]).abs().max())


def _answer(
    model: Any, tuned: Tuned, written: Written, ids: Sequence[int], types: Sequence[int], fed: Sequence[int]
) -> Any:
    """What the model gives for the tokens `ids`, its decoder fed with `fed`. UsageError where it cannot run."""
    inputs: dict[str, Tensor] = {"input_ids": torch.tensor([ids])}
    inputs["attention_mask"] = torch.ones((1, len(ids)), dtype=torch.long)
    if fed:
        inputs["decoder_input_ids"] = torch.tensor([fed])
    if tuned.backbone.has_types:
        inputs["token_type_ids"] = torch.tensor([types])
    if written.first_position is not None:
        inputs["position_ids"] = torch.arange(len(ids))[None] + written.first_position
    use_cache = False if not tuned.slots.count and tuned.backbone.causal else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return model(**inputs, output_hidden_states=True, use_cache=use_cache)
        except Exception as error:  # PEFT knows not every family's cache; each fails in its own way
            if is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())[:160]
            base = type(model.get_base_model() if hasattr(model, "get_base_model") else model).__name__
            raise tuned.refused(f"PEFT's own model cannot run for {base}: {reason}") from None
