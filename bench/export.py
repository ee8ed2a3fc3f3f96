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

from bench.data.batches import Ticket, collate
from bench.data.rows import Item, Row
from bench.data.specials import special
from bench.errors import UsageError
from bench.model.attachment import Attachment, LayerPrefixes, SlotPrompts
from bench.model.backbone import Backbone, load_backbone
from bench.model.heads import word_tokens
from bench.model.injected import ADAPTER, MISSING, Injected
from bench.model.source import find_model
from bench.registry import build, find_method, find_suite
from bench.spec import SEP_MARK, Cell, Method, Task
from bench.store.store import Store

TOLERANCE = 1e-4  # largest difference of a hidden state between PEFT's model and ours, both in fp32
PROBE_TOKENS = 9


def export(store: Store, cell_id: str, to: Path) -> list[Path]:
    """Write a finished cell's adapter to the new folder `to`; returns the files.

    What is written has been loaded by PEFT and gives the cell's hidden states. UsageError, and no folder, for a cell
    that is not finished or kept no tensors, and for a method that PEFT does not have or does in another way.
    """
    record = store.record(cell_id)
    kept = store.cell_folder(record.id) / "tuned.safetensors"
    if record.status != "done":
        raise UsageError(f"cell {record.id} has not finished ({record.status}: {record.reason}); run its grid again")
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
    config.task_type = "CAUSAL_LM" if backbone.causal and method.head == "verbalizer" else "FEATURE_EXTRACTION"
    head = {name.removeprefix("head."): each for name, each in tensors.items() if name.startswith("head.")}
    made = not to.exists()
    try:
        _write(to, config, adapter, head, _description(cell, method, task, backbone))
        difference = _difference(to, attachment, method, backbone, cell)
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
    raise _refused(cell, "PEFT has no adapter of this kind")


def _refused(cell: Cell, reason: str) -> UsageError:
    return UsageError(f"cell {cell.id} ({cell.label}) cannot be exported: {reason}")


def _check_types(cell: Cell, task: Task, form: str, backbone: Backbone) -> None:
    """PEFT drops token types where there are prompts; refuse a model and form that tell two texts apart by them."""
    first, second = special(backbone.tokenizer).types
    paired = SEP_MARK in form or task.kind == "span"
    if paired and first != second and int(getattr(backbone.model.config, "type_vocab_size", 0) or 0) > 1:
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
    pooled = "the last token" if backbone.causal else "the first token of the text ([CLS])"
    reads = {
        "tagging": "the first token of each word",
        "span": f"{pooled} for no answer, and every token of the context; columns are start and end",
        "choice": f"{pooled} of each candidate's row",
    }.get(task.kind, pooled)
    with_words = method.head == "verbalizer"
    lm_class = "AutoModelForCausalLM" if backbone.causal else "AutoModelForMaskedLM"
    described: dict[str, Any] = {
        "cell": cell.id, "method": cell.label, "task": cell.task, "seed": cell.seed, "model": cell.model_path,
        "base": lm_class if with_words else "AutoModel",
        "form": task.pattern if with_words else task.plain, "max_length": cell.budget.max_length,
        "head": method.head, "classes": task.classes,
    }  # fmt: skip
    if with_words:
        place = "the next token's scores" if backbone.causal else "the scores at [MASK]"
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
def _difference(to: Path, attachment: Attachment, method: Method, backbone: Backbone, cell: Cell) -> float:
    """Largest difference between what PEFT's model and ours give for a few tokens: hidden states, or word scores."""
    from peft import PeftModel
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

    kind: Any = AutoModelForCausalLM if backbone.causal else AutoModelForMaskedLM
    kind = kind if method.head == "verbalizer" else AutoModel
    base = kind.from_pretrained(cell.model_path, revision=find_model(cell.model_path).revision, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = PeftModel.from_pretrained(base, str(to)).eval()
        count = method.slots().count
        ids = [int(at) for at in torch.arange(1, PROBE_TOKENS + 1) * 7 % len(backbone.tokenizer)]
        types = {"token_type_ids": torch.zeros((1, len(ids)), dtype=torch.long)} if backbone._has_types else {}
        try:
            found = model(
                input_ids=torch.tensor([ids]), attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
                output_hidden_states=True, use_cache=False if not count and backbone.causal else None, **types,
            )  # fmt: skip
        except Exception as error:  # PEFT knows not every family's cache; each fails in its own way
            reason = " ".join(str(error).split())[:160]
            raise _refused(cell, f"PEFT's own model cannot run for {type(base).__name__}: {reason}") from None
    row = Row([backbone.pad_id] * count + ids, [0] * (count + len(ids)), list(range(count)), [0])
    batch = collate([Ticket(0, Item(0, (row,), [0], [0], False))], backbone.pad_id, backbone.device)
    ours = backbone.hidden(batch, [attachment.prompts()], [0.0])
    states = getattr(found, "last_hidden_state", None)
    if states is None:  # the class with word scores: its states before that head are not always the last ones listed
        states, ours = found.logits, backbone.lm_logits(ours[0])[None]
    return float((states[:, -len(ids) :] - ours[:, -len(ids) :]).abs().max())
