"""README.md of an exported folder: what it is, and code that uses it as it is pasted."""

from __future__ import annotations

from typing import Any

from bench.escaping.markdown import markdown_code, markdown_line, markdown_text
from bench.export.snippet import snippet
from bench.export.tuned import Tuned, Written

WHAT = {
    "adapter": "an adapter that PEFT loads",
    "checkpoint": "a checkpoint that transformers loads, all of whose weights have trained",
    "weights": "`changed.safetensors`, the weights of the model that have trained, under their own names",
    "head": "a head on a model that stays as it is",
}
LIBRARY = {"adapter": "peft"}


def card(tuned: Tuned, written: Written, described: dict[str, Any]) -> str:
    """The page, in Markdown, with the front matter that the hub reads."""
    from huggingface_hub import ModelCardData

    cell, record = tuned.resolved.cell, tuned.record
    scores = ", ".join(f"{name} {value:.1f}" for name, value in record.scores.items())
    model = markdown_code(cell.model)
    model += f" at revision {markdown_code(tuned.source.revision)}" if tuned.source.revision else ""
    matter = ModelCardData(
        library_name=LIBRARY.get(written.way, "transformers"),
        base_model=tuned.source.path if tuned.source.revision else None,
        tags=["tuning-bench"],
    )
    beside = "" if written.way == "head" else f", with {_head(tuned)}"
    code = snippet(tuned, written)
    laid = f"Texts are laid out as {markdown_code(described['form'])}" if described["form"] else "Rows are read"
    trained = f"tuning-bench trained it on the task {markdown_code(cell.task)} with the model {model}, seed {cell.seed}"
    lines = [
        "---", matter.to_yaml(), "---", "",
        f"# {markdown_line(f'{cell.label} on {cell.task}')}", "",
        f"This folder has {WHAT[written.way]}{beside}. {trained} (cell {record.id}). "
        f"On its {tuned.resolved.task.scored} split it "
        f"scored {markdown_text(scores)}.", "",
        f"`head.json` says what the head reads: {markdown_text(described['reads'])}.", "",
        f"{laid}, at most {cell.budget.max_length} tokens of it, special ones included.", "",
        *(["In this folder:", "", "```python", code, "```", ""] if code else []),
    ]  # fmt: skip
    return "\n".join(lines)


def _head(tuned: Tuned) -> str:
    return "the language-model head's scores of the label words" if tuned.with_words else "its head, `head.safetensors`"
