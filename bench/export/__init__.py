"""A finished cell as a folder that others load: an adapter of PEFT's, a checkpoint, or changed weights; its head."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from bench.errors import UsageError
from bench.export.adapter import adapter_of, is_adapter
from bench.export.card import card
from bench.export.changed import changed_of
from bench.export.described import description
from bench.export.running import WEIGHTS, base_model, check_written
from bench.export.tuned import Tuned, Written, tuned_cell
from bench.model.injected import MISSING
from bench.store.store import Store
from bench.writing import is_aside, telling, whole_folder


def export(store: Store, cell_id: str, to: Path, model: str | None = None) -> list[Path]:
    """Write what a finished cell has trained to the new folder `to`; returns the files.

    `model` is where the cell's model lies now, if not where it lay. What PEFT has an adapter for becomes one, all of a
    model that has trained a checkpoint of transformers', some of its weights a file of these; beside it stand the head,
    what it reads, and a page with code that uses it. What is written has been loaded and gives the cell's hidden
    states. UsageError, and no folder, for a cell that is not finished or kept no tensors, and for a method that nothing
    of that fits.
    """
    record = store.record(cell_id)
    if model is not None:
        record = record.model_copy(update={"cell": record.cell.changed(model_path=model)})
    tuned = tuned_cell(store, record)
    if to.exists() and (not to.is_dir() or any(not is_aside(path) for path in to.iterdir())):
        raise UsageError(f"--to {to} exists and is not an empty folder; choose another")
    if is_adapter(tuned.attachment):
        try:
            import peft  # noqa: F401
        except ImportError:
            raise UsageError(MISSING.replace("this method", "bench export")) from None
    written = adapter_of(tuned) if is_adapter(tuned.attachment) else changed_of(tuned)
    with (
        telling("write to", to, "nothing was left there: free space, or choose another --to"),
        whole_folder(to) as aside,
    ):
        _write(aside, tuned, written)
        check_written(aside, tuned, written)
    return sorted(to.iterdir())


def _write(to: Path, tuned: Tuned, written: Written) -> None:
    head = {name.removeprefix("head."): value for name, value in tuned.tensors.items() if name.startswith("head.")}
    described = description(tuned, written)
    tensors = {name: value.detach().clone().contiguous() for name, value in written.tensors.items()}
    if written.way == "adapter":
        written.config.save_pretrained(str(to))
        save_file(tensors, to / "adapter_model.safetensors", metadata={"format": "pt"})
    elif written.way == "weights":
        save_file(tensors, to / WEIGHTS, metadata={"format": "pt"})
    elif written.way == "checkpoint":
        model = base_model(tuned)
        model.load_state_dict(tensors, strict=False)
        model.save_pretrained(str(to))
        tuned.backbone.tokenizer.save_pretrained(str(to))
    if head:
        save_file(head, to / "head.safetensors", metadata={"format": "pt"})
    (to / "head.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (to / "README.md").write_text(card(tuned, written, described), encoding="utf-8")
