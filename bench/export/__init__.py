"""A finished cell as an adapter folder that PEFT loads: its config and tensors, the task head, what the head reads."""

from __future__ import annotations

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
from bench.data.rows import Item, Row
from bench.data.specials import Special, special
from bench.errors import UsageError
from bench.export.adapter import Tuned, adapter_of, refused
from bench.model.backbone import Backbone
from bench.model.heads import word_tokens
from bench.model.injected import MISSING
from bench.model.loading import load_backbone
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.resolved import resolve
from bench.store.record import Record
from bench.store.store import Store
from bench.task import Task

TOLERANCE = 1e-4  # largest difference of a hidden state between PEFT's model and ours, both in fp32
PROBE_TOKENS = 9


def export(store: Store, cell_id: str, to: Path) -> list[Path]:
    """Write a finished cell's adapter to the new folder `to`; returns the files.

    What is written has been loaded by PEFT and gives the cell's hidden states. UsageError, and no folder, for a cell
    that is not finished or kept no tensors, and for a method that PEFT does not have or does in another way.
    """
    record = store.record(cell_id)
    kept = _kept(store, record)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"--to {to} exists and is not an empty folder; choose another")
    try:
        import peft  # noqa: F401
    except ImportError:
        raise UsageError(MISSING.replace("this method", "bench export")) from None
    tuned = _tuned(record.cell, load_file(kept))
    config, adapter = adapter_of(tuned)
    is_new = not to.exists()
    try:
        _write(to, tuned, config, adapter)
        difference = _difference(to, tuned)
        if not difference <= TOLERANCE:
            raise UsageError(
                f"{record.cell.method}: what PEFT's model gives differs by {difference:.1e}, so it is not exported"
            )
    except BaseException:
        for path in [to] if is_new else to.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    return sorted(to.iterdir())


def _kept(store: Store, record: Record) -> Path:
    """The file with a cell's tensors; UsageError where there is none to export."""
    path = store.cell_folder(record.id) / "tuned.safetensors"
    if record.status != "done":
        raise UsageError(f"cell {record.id} has not finished ({record.status}: {record.reason}); run its grid again")
    if record.cell.stage == "trial":
        raise UsageError(f"cell {record.id} is a trial, which keeps no tensors; export a cell that was scored")
    if record.parameters.trained == 0:
        raise refused(record.cell, "nothing was trained")
    if not path.is_file():
        raise UsageError(f"cell {record.id} kept no tensors; run it with --save-tuned into another --out")
    return path


def _tuned(cell: Cell, tensors: dict[str, Tensor]) -> Tuned:
    """The cell's attachment with its tensors; UsageError when its model is another by now."""
    resolved, source = resolve(cell), find_model(cell.model_path)
    if source.fingerprint != cell.model_fingerprint:
        raise UsageError(f"the model at {cell.model_path} is not the one that cell {cell.id} was trained on")
    # not shared, so that an adapter is in the model's own modules, where PEFT's names are
    backbone = load_backbone(source, torch.device("cpu"), "fp32", frozen=False)
    attachment = resolved.method.attach(backbone, resolved.task)
    attachment.restore(tensors)
    return Tuned(resolved, backbone, attachment, tensors)


def _description(tuned: Tuned) -> dict[str, Any]:
    """What must be known to use the adapter: which model class, what the head reads, the classes in their order."""
    cell, task, method, backbone = tuned.resolved.cell, tuned.resolved.task, tuned.resolved.method, tuned.backbone
    known = special(backbone.tokenizer, backbone.reader)
    described: dict[str, Any] = {
        "cell": cell.id, "method": cell.label, "task": cell.task, "seed": cell.seed,
        "model": find_model(cell.model_path).path,
        "precision": cell.precision, "base": tuned.base_class,
        "form": task.pattern if tuned.with_words else task.plain, "max_length": cell.budget.max_length,
        "head": method.head, "classes": task.classes,
    }  # fmt: skip
    if tuned.with_words:
        place = _words_place(known, backbone)
        described["reads"] = f"{place}: the mean over a class's word's tokens; a candidate's own tokens for a choice"
        words = {name: task.words[name] for name in task.classes if name in task.words}
        described["words"] = {name: word_tokens(backbone.tokenizer, word) for name, word in words.items()}
    else:
        state = _state_place(known, task)
        described["reads"] = f"head.safetensors: scores = linear.weight @ state + linear.bias; state: {state}"
    if method.slots().count:
        described["positions"] = (
            f"PEFT puts {method.slots().count} vectors in front: a token's state stands so much later"
        )
    return described


def _state_place(known: Special, task: Task) -> str:
    """Which state a linear head reads."""
    pooled = "the last token" if known.pool < 0 else "the first token of the text ([CLS])"
    whole = f"the decoder's last token, fed with the tokens {list(known.opening)}" if known.opening else pooled
    return task.facts.reads.format(whole=whole, pooled=pooled)


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


def _write(to: Path, tuned: Tuned, config: Any, adapter: dict[str, Tensor]) -> None:
    head = {name.removeprefix("head."): value for name, value in tuned.tensors.items() if name.startswith("head.")}
    description = json.dumps(_description(tuned), indent=1, ensure_ascii=False)
    try:
        to.mkdir(parents=True, exist_ok=True)
        config.save_pretrained(str(to))
        tensors = {name: value.detach().clone().contiguous() for name, value in adapter.items()}
        save_file(tensors, to / "adapter_model.safetensors", metadata={"format": "pt"})
        if head:
            save_file(head, to / "head.safetensors", metadata={"format": "pt"})
        (to / "head.json").write_text(description + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {to}: {error.strerror or error}") from None


@torch.no_grad()
def _difference(to: Path, tuned: Tuned) -> float:
    """Largest difference between what PEFT's model and ours give for a few tokens: hidden states, or word scores."""
    backbone, num_slots = tuned.backbone, tuned.resolved.method.slots().count
    ids = [int(at) for at in torch.arange(1, PROBE_TOKENS + 1) * 7 % len(backbone.tokenizer)]
    fed = ids[:3] if backbone.decoder is not None else []
    theirs = _peft_answer(to, tuned, ids, fed)
    read_on = [] if tuned.resolved.task.reads_tokens else fed
    slots = [backbone.pad_id] * num_slots
    row = Row(slots + ids, [0] * (num_slots + len(ids)), list(range(num_slots)), [0], [], read_on)
    batch = collate([Item(0, (row,), [0], [0], False)], backbone.pad_id, backbone.device)
    ours = backbone.hidden(batch, Stacked([tuned.attachment.prompts()]))
    if read_on:
        ours = ours[:, : len(fed)]
    states = getattr(theirs, "encoder_last_hidden_state" if fed and not read_on else "last_hidden_state", None)
    if states is None:  # the class with word scores: its states before that head are not always the last ones listed
        states, ours = theirs.logits, backbone.lm_logits(ours[0])[None]
    count = len(read_on or ids)
    return float((states[:, -count:] - ours[:, -count:]).abs().max())


def _peft_answer(to: Path, tuned: Tuned, ids: list[int], fed: list[int]) -> Any:
    """What PEFT's model gives for the tokens `ids`, its decoder fed with `fed`. UsageError where it cannot run."""
    import transformers
    from peft import PeftModel

    cell, backbone = tuned.resolved.cell, tuned.backbone
    kind: Any = getattr(transformers, tuned.base_class)
    source = find_model(cell.model_path)
    base = kind.from_pretrained(source.path, revision=source.revision, dtype=torch.float32, trust_remote_code=False)
    inputs: dict[str, Any] = {"input_ids": torch.tensor([ids])}
    inputs["attention_mask"] = torch.ones((1, len(ids)), dtype=torch.long)
    if fed:
        inputs["decoder_input_ids"] = torch.tensor([fed])
    if backbone.has_types:
        inputs["token_type_ids"] = torch.zeros((1, len(ids)), dtype=torch.long)
    use_cache = False if not tuned.resolved.method.slots().count and backbone.causal else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = PeftModel.from_pretrained(base, str(to)).eval()
        try:
            return model(**inputs, output_hidden_states=True, use_cache=use_cache)
        except Exception as error:  # PEFT knows not every family's cache; each fails in its own way
            reason = " ".join(str(error).split())[:160]
            raise tuned.refused(f"PEFT's own model cannot run for {type(base).__name__}: {reason}") from None
