"""Code that uses an exported folder, with transformers, PEFT and nothing of this harness.

It lays a row's texts out token by token as the cell did, in one row: `lay` says which tokens, `states` what the model
makes of them, and `answer` what the head makes of that.
"""

from __future__ import annotations

from bench.data.kind import data_of
from bench.export.answering import lay, of_span, of_tags, of_text, of_words
from bench.export.running import WEIGHTS
from bench.export.tuned import Tuned, Written
from bench.task import CANDIDATE


def snippet(tuned: Tuned, written: Written) -> str:
    """The code; empty where a word is said in a way that a few lines do not show."""
    if tuned.with_words and (tuned.backbone.family.query_stream or tuned.around.repeats):
        return ""
    parts = [_loading(tuned, written), _states(tuned, written)]
    facts = tuned.resolved.task.facts
    if facts.has_forms:
        parts += [lay(tuned), of_words(tuned) if tuned.with_words else of_text(tuned)]
    else:
        parts.append(of_span(tuned) if facts.positions_compete else of_tags(tuned))
    return "\n\n\n".join([*parts, _call(tuned)])


def _loading(tuned: Tuned, written: Written) -> str:
    kind, where = tuned.base_class, repr(tuned.source.path)
    if tuned.source.revision:
        where += f", revision={tuned.source.revision!r}"
    code = ", trust_remote_code=True" if tuned.source.code else ""
    own, uses_peft = written.way == "checkpoint", written.way == "adapter"
    home = '"."' if own else where
    has_head = not tuned.with_words
    lines = ["import torch"]
    lines += ["from peft import PeftModel"] if uses_peft else []
    lines += ["from safetensors.torch import load_file"] if has_head or written.way == "weights" else []
    lines += [f"from transformers import {', '.join(sorted((kind, 'AutoTokenizer')))}", ""]
    lines += [f"tokenizer = AutoTokenizer.from_pretrained({home}{code})"]
    lines += [f"model = {kind}.from_pretrained({home}, dtype=torch.float32{code}).eval()"]
    if uses_peft:
        lines += ['model = PeftModel.from_pretrained(model, ".").eval()']
    if written.way == "weights":
        lines += [f'model.load_state_dict(load_file("{WEIGHTS}"), strict=False)']
    lines += ['head = load_file("head.safetensors")'] if has_head else []
    if tuned.resolved.task.classes:
        lines += [f"classes = {list(tuned.resolved.task.classes)!r}"]
    return "\n".join(lines)


def _states(tuned: Tuned, written: Written) -> str:
    """What the model makes of tokens: states, or scores of words; of the decoder where that reads on."""
    decodes = tuned.backbone.decoder is not None
    on_decoder = decodes and not tuned.resolved.task.reads_tokens
    lines = [
        "def tokens(text):",
        '    return tokenizer(text, add_special_tokens=False)["input_ids"]',
        "",
        "",
        "@torch.no_grad()",
        f"def states(ids, types{', fed' if decodes else ''}):",
        '    """Of each token what the model makes of it."""',
        '    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}',
    ]
    if tuned.backbone.has_types:
        lines.append('    inputs["token_type_ids"] = torch.tensor([types])')
    if written.first_position is not None:
        told = "PEFT adds the length of its prefix"
        lines.append(f'    inputs["position_ids"] = torch.arange(len(ids))[None] + {written.first_position}  # {told}')
    if decodes:
        lines.append('    inputs["decoder_input_ids"] = torch.tensor([fed])')
    name = "logits" if tuned.with_words else "last_hidden_state"
    if decodes and not on_decoder:
        name = "encoder_last_hidden_state"
    front = tuned.front if written.way == "adapter" and not on_decoder else 0
    place = f"0, {front}:" if front else "0"
    remark = "  # PEFT's vectors stand in front" if front else ""
    lines.append(f"    return model(**inputs).{name}[{place}]{remark}")
    return "\n".join(lines)


def _call(tuned: Tuned) -> str:
    """An example of use."""
    task = tuned.resolved.task
    if not task.facts.has_forms:
        if task.facts.positions_compete:
            return 'print(answer("Where is the answer?", "The answer is in the text."))'
        return 'print(answer(["These", "are", "words", "."]))'
    row = {name: f"The {name} stands here." for name in data_of(task).fields(task) if name != CANDIDATE}
    if task.facts.scores_rows:
        return f'print(answer({row!r}, ["One of them.", "The other one."]))'
    return f"print(answer({row!r}))"
