"""A finished cell as an adapter folder that PEFT loads: its config and tensors, the task head, what the head reads.

Shape legend: P prompt length, L layers, A key/value heads, D head size, H hidden size, B rows, T tokens.
"""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.cell import Cell
from bench.data.batches import collate
from bench.data.cutting import Ticket
from bench.data.rows import Item, Row
from bench.data.specials import Special, special
from bench.errors import UsageError
from bench.model.attachment import Attachment, LayerPrefixes, SlotPrompts
from bench.model.backbone import Backbone, load_backbone
from bench.model.heads import word_tokens
from bench.model.injected import ADAPTER, MISSING, Injected
from bench.model.source import find_model
from bench.registry import build, find_method, find_suite
from bench.store.store import Store
from bench.task import SEP_MARK, Task
from bench.tuning import Method

TOLERANCE = 1e-4  # largest difference of a hidden state between PEFT's model and ours, both in fp32
PROBE_TOKENS = 9
PLAIN = "FEATURE_EXTRACTION"
TASK_TYPES = {"CausalLM": "CAUSAL_LM", "Seq2SeqLM": "SEQ_2_SEQ_LM"}  # PEFT's names; it has none for masked words


def export(store: Store, cell_id: str, to: Path) -> list[Path]:
    """Write a finished cell's adapter to the new folder `to`; returns the files.

    What is written has been loaded by PEFT and gives the cell's hidden states. UsageError, and no folder, for a cell
    that is not finished or kept no tensors, and for a method that PEFT does not have or does in another way.
    """
    record = store.record(cell_id)
    kept = store.cell_folder(record.id) / "tuned.safetensors"
    if record.status != "done":
        raise UsageError(f"cell {record.id} has not finished ({record.status}: {record.reason}); run its grid again")
    if record.cell.stage == "trial":
        raise UsageError(f"cell {record.id} is a trial, which keeps no tensors; export a cell that was scored")
    if record.parameters.trained == 0:
        raise _refused(record.cell, "nothing was trained")
    if not kept.is_file():
        raise UsageError(f"cell {record.id} kept no tensors; run it with --save-tuned into another --out")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"--to {to} exists and is not an empty folder; choose another")
    try:
        import peft  # noqa: F401
    except ImportError:
        raise UsageError(MISSING.replace("this method", "bench export")) from None
    cell = record.cell
    task, method = find_suite(cell.suite).task(cell.task), build(find_method(cell.method), cell.settings)
    source = find_model(cell.model_path)
    if source.fingerprint != cell.model_fingerprint:
        raise UsageError(f"the model at {cell.model_path} is not the one that cell {record.id} was trained on")
    backbone = load_backbone(source, torch.device("cpu"), "fp32", frozen=not method.changes_weights)
    attachment, tensors = method.attach(backbone, task), load_file(kept)
    attachment.restore(tensors)
    config, adapter = _adapter(attachment, method, task, backbone, cell)
    config.base_model_name_or_path, config.revision, config.inference_mode = cell.model_path, source.revision, True
    with_words = method.head == "verbalizer"
    config.task_type = TASK_TYPES.get(backbone.family.words, PLAIN) if with_words else PLAIN
    head = {name.removeprefix("head."): each for name, each in tensors.items() if name.startswith("head.")}
    made = not to.exists()
    try:
        _write(to, config, adapter, head, _description(cell, method, task, backbone))
        difference = _difference(to, attachment, method, task, backbone, cell)
        if not difference <= TOLERANCE:
            raise UsageError(
                f"{cell.method}: what PEFT's model gives differs by {difference:.1e}, so it is not exported"
            )
    except BaseException:
        for path in [to] if made else to.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    return sorted(to.iterdir())


def _adapter(
    attachment: Attachment, method: Method, task: Task, backbone: Backbone, cell: Cell
) -> tuple[Any, dict[str, Tensor]]:
    """PEFT's config and tensors; UsageError with the reason where PEFT has no equal of the cell."""
    import peft

    if isinstance(attachment, Injected) and attachment.exportable:
        return _injected(attachment, method, backbone)
    with torch.no_grad():
        prompts = attachment.prompts()
    form = (task.pattern if method.head == "verbalizer" else task.plain) or ""
    if isinstance(attachment, LayerPrefixes) and prompts.prefixes is not None:
        layers, _, heads, length, size = prompts.prefixes.shape
        if backbone.decoder is not None:
            raise _refused(cell, "PEFT's prefixes of an encoder–decoder are in the decoder, its are in the encoder")
        if layers != backbone.geometry.layers:
            raise _refused(
                cell, f"PEFT's prefixes are in every layer, its are in {layers} of {backbone.geometry.layers}"
            )
        if prompts.offset != length:
            raise _refused(
                cell, "PEFT moves the text's positions behind the prefix; train it with offset_positions=true"
            )
        _check_types(cell, task, form, backbone)
        fields: Any = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * size}
        config: Any = peft.PrefixTuningConfig(num_virtual_tokens=length, num_transformer_submodules=1, **fields)
        return config, {"prompt_embeddings": prompts.prefixes.permute(3, 0, 1, 2, 4).reshape(length, -1)}
    if isinstance(attachment, SlotPrompts) and prompts.slots is not None and method.slots().place == "front":
        _check_types(cell, task, form, backbone)
        length, width = prompts.slots.shape
        fields = {"num_layers": backbone.geometry.layers, "num_attention_heads": backbone.geometry.kv_heads}
        fields |= {"token_dim": width, "num_transformer_submodules": 1, "prompt_tuning_init": "RANDOM"}
        scale = getattr(backbone.embeddings, "embed_scale", 1.0)  # PEFT's vectors enter as they are
        return peft.PromptTuningConfig(num_virtual_tokens=length, **fields), {
            "prompt_embeddings": prompts.slots * scale
        }
    if method.slots().place == "pattern":
        raise _refused(cell, "its prompt stands inside the task's pattern, PEFT's in front of the whole text")
    raise _refused(cell, "PEFT has no adapter of this kind")


def _refused(cell: Cell, reason: str) -> UsageError:
    return UsageError(f"cell {cell.id} ({cell.label}) cannot be exported: {reason}")


def _check_types(cell: Cell, task: Task, form: str, backbone: Backbone) -> None:
    """PEFT drops token types where there are prompts; refuse a model and form that have more than one."""
    known = special(backbone.tokenizer, backbone.reader)
    paired = SEP_MARK in form or task.facts.pairs_texts
    types = {*known.types, *known.ends[1]} if paired else {known.types[0], *known.ends[0]}
    if len(types) > 1 and backbone.has_types:
        raise _refused(cell, "PEFT drops the token types that tell the task's two texts apart; a cloze form has none")


def _injected(attachment: Injected, method: Method, backbone: Backbone) -> tuple[Any, dict[str, Tensor]]:
    """Tensors under PEFT's names, for the bare model or, with a verbalizer, for the one with its word scores."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    whole: Any = backbone.model
    base = whole if method.head == "verbalizer" else whole.base_model
    inside = "" if base is whole else f"{whole.base_model_prefix}."
    layers: dict[str, Any] = {name: each for name, each in base.named_modules() if isinstance(each, BaseTunerLayer)}
    config = copy.deepcopy(attachment.config)
    # by their whole names, so that PEFT finds none beside these in a model that has more around it
    config.target_modules = sorted(layers)
    if getattr(config, "feedforward_modules", None):
        config.feedforward_modules = sorted(name for name, each in layers.items() if each.is_feedforward)
    names = {name: name.removeprefix(inside).replace(f".{ADAPTER}", "") for name in attachment.stored()}
    return config, {f"base_model.model.{names[name]}": each for name, each in attachment.stored().items()}


def _description(cell: Cell, method: Method, task: Task, backbone: Backbone) -> dict[str, Any]:
    """What must be known to use the adapter: which model class, what the head reads, the classes in their order."""
    known = special(backbone.tokenizer, backbone.reader)
    pooled = "the last token" if known.pool < 0 else "the first token of the text ([CLS])"
    whole = f"the decoder's last token, fed with the tokens {list(known.opening)}" if known.opening else pooled
    reads = task.facts.reads.format(whole=whole, pooled=pooled)
    with_words = method.head == "verbalizer"
    lm_class = f"AutoModelFor{backbone.family.words}"
    described: dict[str, Any] = {
        "cell": cell.id, "method": cell.label, "task": cell.task, "seed": cell.seed, "model": cell.model_path,
        "base": lm_class if with_words else "AutoModel",
        "form": task.pattern if with_words else task.plain, "max_length": cell.budget.max_length,
        "head": method.head, "classes": task.classes,
    }  # fmt: skip
    if with_words:
        place = _words_place(known, backbone)
        described["reads"] = f"{place}: the mean over a class's word's tokens; a candidate's own tokens for a choice"
        words = {name: task.words[name] for name in task.classes if name in task.words}
        described["words"] = {name: word_tokens(backbone.tokenizer, word) for name, word in words.items()}
    else:
        described["reads"] = f"head.safetensors: scores = linear.weight @ state + linear.bias; state: {reads}"
    if method.slots().count:
        described["positions"] = (
            f"PEFT puts {method.slots().count} vectors in front: a token's state stands so much later"
        )
    return described


def _words_place(known: Special, backbone: Backbone) -> str:
    """Where the language-model head's scores are read."""
    if known.opening:
        before = (
            "the text before [MASK]" if known.repeats else f"the sentinel {backbone.reader.sentinel}, as for [MASK]"
        )
        return f"the next token's scores of the decoder, fed with its start token {known.start} and {before}"
    if backbone.causal:
        return "the next token's scores"
    seen = ", by perm_mask seen by no token and by target_mapping asked for" if backbone.family.query_stream else ""
    return f"the scores at [MASK]{seen}"


def _write(to: Path, config: Any, adapter: dict[str, Tensor], head: dict[str, Tensor], said: dict[str, Any]) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
        config.save_pretrained(str(to))
        tensors = {name: each.detach().clone().contiguous() for name, each in adapter.items()}
        save_file(tensors, to / "adapter_model.safetensors", metadata={"format": "pt"})
        if head:
            save_file(head, to / "head.safetensors", metadata={"format": "pt"})
        (to / "head.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {to}: {error.strerror or error}") from None


@torch.no_grad()
def _difference(to: Path, attachment: Attachment, method: Method, task: Task, backbone: Backbone, cell: Cell) -> float:
    """Largest difference between what PEFT's model and ours give for a few tokens: hidden states, or word scores."""
    import transformers
    from peft import PeftModel

    name = f"AutoModelFor{backbone.family.words}" if method.head == "verbalizer" else "AutoModel"
    kind: Any = getattr(transformers, name)
    base = kind.from_pretrained(
        cell.model_path, revision=find_model(cell.model_path).revision, dtype=torch.float32, trust_remote_code=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = PeftModel.from_pretrained(base, str(to)).eval()
        count = method.slots().count
        ids = [int(at) for at in torch.arange(1, PROBE_TOKENS + 1) * 7 % len(backbone.tokenizer)]
        fed = ids[:3] if backbone.decoder is not None else []
        more: dict[str, Any] = {"decoder_input_ids": torch.tensor([fed])} if fed else {}
        if backbone.has_types:
            more["token_type_ids"] = torch.zeros((1, len(ids)), dtype=torch.long)
        try:
            found = model(
                input_ids=torch.tensor([ids]), attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
                output_hidden_states=True, use_cache=False if not count and backbone.causal else None, **more,
            )  # fmt: skip
        except Exception as error:  # PEFT knows not every family's cache; each fails in its own way
            reason = " ".join(str(error).split())[:160]
            raise _refused(cell, f"PEFT's own model cannot run for {type(base).__name__}: {reason}") from None
    read_on = [] if task.reads_tokens else fed
    row = Row([backbone.pad_id] * count + ids, [0] * (count + len(ids)), list(range(count)), [0], [], read_on)
    batch = collate([Ticket(0, Item(0, (row,), [0], [0], False))], backbone.pad_id, backbone.device)
    ours = backbone.hidden(batch, [attachment.prompts()], [0.0])
    if read_on:
        ours = ours[:, : len(fed)]
    states = getattr(found, "encoder_last_hidden_state" if fed and not read_on else "last_hidden_state", None)
    if states is None:  # the class with word scores: its states before that head are not always the last ones listed
        states, ours = found.logits, backbone.lm_logits(ours[0])[None]
    count = len(read_on or ids)
    return float((states[:, -count:] - ours[:, -count:]).abs().max())
