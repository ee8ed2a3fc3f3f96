"""head.json: how a finished cell is read, for programs and people that do not have this harness."""

from __future__ import annotations

from typing import Any

from bench.data.specials import Special
from bench.export.tuned import Tuned, Written
from bench.model.backbone import Backbone
from bench.model.heads import word_tokens
from bench.task import Task


def description(tuned: Tuned, written: Written) -> dict[str, Any]:
    """What must be known to use it: which class of model, what the head reads, the classes in their order."""
    cell, task, method, backbone = tuned.resolved.cell, tuned.resolved.task, tuned.resolved.method, tuned.backbone
    known = tuned.around
    described: dict[str, Any] = {
        "cell": tuned.record.id, "written": written.way, "method": cell.label,
        "task": cell.task, "seed": cell.seed, "model": tuned.source.path,
        "precision": cell.precision, "base": tuned.base_class,
        "form": tuned.form, "max_length": cell.budget.max_length,
        "head": method.head, "classes": task.classes,
    }  # fmt: skip
    if task.origin or task.unit != 1.0:
        described["number"] = f"{task.unit!r} * score + {task.origin!r}"
    if tuned.with_words:
        place = _words_place(known, backbone)
        described["reads"] = f"{place}: the mean over a class's word's tokens; a candidate's own tokens for a choice"
        words = {name: task.words[name] for name in task.classes if name in task.words}
        described["words"] = {name: word_tokens(backbone.tokenizer, word) for name, word in words.items()}
    else:
        state = _state_place(known, task)
        described["reads"] = f"head.safetensors: scores = linear.weight @ state + linear.bias; state: {state}"
    if written.way == "adapter" and tuned.front:
        described["positions"] = f"PEFT puts {tuned.front} vectors in front: a token's state stands so much later"
    if written.first_position is not None:
        said = "a call gives position_ids that begin here; PEFT adds the prefix's length to them"
        described["first_position"], described["positions"] = written.first_position, said
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
