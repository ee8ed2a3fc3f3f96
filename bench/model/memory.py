"""Does a model fit? What a cell needs and what is free, from headers and configs, before anything is loaded.

The estimate counts weights, the training state of methods that change them, and the activations of one micro-batch.
What prompts, adapters and heads need besides is small beside these, and left to the margin.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from bench.cell import Cell, Precision
from bench.errors import UsageError
from bench.model.families import family_of, reading_part
from bench.model.scales import listed_size
from bench.model.source import ModelSource, find_model, read_config, weight_shapes
from bench.resolved import ResolvedCell
from bench.tuning import Method

MARGIN = 0.05  # share of the free memory that is left to the allocator's gaps, prompts, heads and the data
FLOAT, HALF = 4, 2  # bytes
GB = 1e9
INNER = (
    "intermediate_size",
    "n_inner",
    "d_ff",
    "d_inner",
    "ffn_dim",
    "encoder_ffn_dim",
    "ffn_hidden_size",
    "hidden_dim",
)


@dataclass(frozen=True)
class Need:
    """Bytes on the device: the weights, what training them takes, activations; `loading` is the peak of loading.

    `between` are copies made between steps, when there are no activations: see `estimate`.
    """

    weights: int
    training: int
    activations: int
    loading: int
    between: int = 0

    @property
    def total(self) -> int:
        return max(self.loading, self.weights + self.training + max(self.activations, self.between))


@dataclass(frozen=True)
class Sizes:
    """`matrices` are the parameters in linear layers, which a frozen backbone in bf16 holds in bf16.

    `layers` are those that a text's tokens go through: a decoder's too where it is fed the text, but not where it is
    fed two tokens.
    """

    parameters: int
    matrices: int
    layers: int
    hidden: int
    inner: int  # width of the feed-forward part
    gated: bool
    heads: int
    largest: int = 0  # elements of the largest tensor


def check_memory(
    cells: Sequence[ResolvedCell], device: torch.device, max_lanes: int, token_budget: int | None, checkpointing: bool
) -> None:
    """UsageError with the estimate when a cell's model does not fit the free memory of the device.

    A checkpoint whose size cannot be known before it is fetched is let through.
    """
    free = available_bytes(device)
    host = available_bytes(torch.device("cpu"))
    for cells_alike in _alike(cells):
        cell, method = cells_alike[0].cell, cells_alike[0].method
        model = find_model(cell.model_path)
        sizes = model_sizes(model)
        if sizes is None:
            continue
        lanes = 1 if method.changes_weights else min(max_lanes, len(cells_alike))
        tokens = _tokens(cell, method, sizes, model.positions, lanes, device, token_budget)
        need = estimate(sizes, method, cell.precision, tokens, cell.budget.max_length, checkpointing, device)
        usable = round(free * (1 - MARGIN))
        if need.total > usable:
            mends = []
            if cell.precision == "fp32" and not method.changes_weights:
                lower = estimate(sizes, method, "bf16", tokens, cell.budget.max_length, checkpointing, device)
                mends += ["--precision bf16"] if lower.total < need.total else []
            if not checkpointing:
                lower = estimate(sizes, method, cell.precision, tokens, cell.budget.max_length, True, device)
                mends += ["--checkpointing"] if lower.total < need.total else []
            if need.total > need.loading and need.activations > need.between:
                mends.append("a smaller --token-budget")
            raise UsageError(_refusal(model, cell, sizes, need, usable, device, mends))
        if device.type != "cpu" and sizes.parameters * FLOAT > host * (1 - MARGIN):
            raise UsageError(
                f"model {model.name!r} is loaded through main memory: it needs {sizes.parameters * FLOAT / GB:.1f} GB "
                f"there and {host * (1 - MARGIN) / GB:.1f} GB can be used; take a smaller model or another machine"
            )


def _alike(cells: Sequence[ResolvedCell]) -> list[list[ResolvedCell]]:
    """Cells that need the same: of one model, precision, method with its settings, and lengths."""
    found: dict[tuple[object, ...], list[ResolvedCell]] = {}
    for resolved in cells:
        cell = resolved.cell
        settings = tuple(sorted((name, str(value)) for name, value in cell.settings.items()))
        key = (cell.model_path, cell.precision, cell.method, settings, cell.budget.max_length, cell.budget.batch_size)
        found.setdefault(key, []).append(resolved)
    return list(found.values())


def _refusal(
    model: ModelSource, cell: Cell, sizes: Sizes, need: Need, usable: int, device: torch.device, mends: list[str]
) -> str:
    parts = [
        f"{bytes_ / GB:.1f} for {what}"
        for what, bytes_ in (
            ("weights", need.weights), ("training them", need.training), ("activations", need.activations),
            ("copies between steps", need.between if need.between > need.activations else 0),
        )
        if bytes_ >= GB / 20
    ]  # fmt: skip
    if need.loading == need.total:
        parts = [f"{need.loading / GB:.1f} while its weights are loaded in fp32"]
    mends += ["another --device", "a smaller model"]
    return (
        f"model {model.name!r} with {cell.method} in {cell.precision} needs about {need.total / GB:.1f} GB "
        f"({sizes.parameters / 1e6:,.0f} million parameters; GB: {', '.join(parts)}), but {usable / GB:.1f} GB of "
        f"{device} can be used; give {', '.join(mends[:-1])} or {mends[-1]}"
    )


def estimate(
    sizes: Sizes,
    method: Method,
    precision: Precision,
    tokens: int,
    length: int,
    checkpointing: bool,
    device: torch.device,
) -> Need:
    """What a method needs on a model, with micro-batches of `tokens` tokens in rows of `length`.

    Training weights takes a gradient, the best weights so far, and AdamW's two moments, all fp32. Between steps, the
    check that the right tensors train (bench.train.trained) takes three int64 copies of the largest one, and what is
    stored in the end is a copy of all that has trained.
    """
    trains, loaded = method.changes_weights, sizes.parameters * FLOAT
    weights = loaded - (sizes.matrices * (FLOAT - HALF) if precision == "bf16" and not trains else 0)
    moments = 2 if method.optimizer == "adamw" else 0  # Adafactor's of large ones are rows and columns
    training = sizes.parameters * FLOAT * (2 + moments) if trains else 0
    # Kept for the backward pass of a token in a layer, as saved_tensors_hooks counts it on BERT, GPT-NeoX and Llama:
    # frozen linear layers keep no inputs, a gated feed-forward part keeps two more of its width.
    width, inner = (10.5, 2) if trains else (7.5, 1)
    floats = width * sizes.hidden + (inner + 2 * sizes.gated) * sizes.inner
    if precision == "bf16" and device.type == "cpu":
        floats += sizes.heads * length * 2  # attention written out keeps its scores
    layers = float(sizes.layers) if method.trains else 1.0
    kept = tokens * layers * floats
    if checkpointing:
        kept = tokens * (layers * sizes.hidden + floats)  # each layer's input, and one layer in the making
    between = max(3 * 8 * sizes.largest, loaded if trains else 0)
    return Need(weights, training, round(kept * FLOAT), loaded, between)


def _tokens(
    cell: Cell,
    method: Method,
    sizes: Sizes,
    positions: int,
    lanes: int,
    device: torch.device,
    token_budget: int | None,
) -> int:
    """Tokens of the largest micro-batch: the token budget, or all the rows of a step if that is less.

    Where cells share a GPU, micro-batches are filled up with empty rows (bench.data.cutting).
    """
    row = cell.budget.max_length * (1 + method.demonstrations()) + method.slots().count
    row = min(row, positions or row)
    budget = token_budget or default_token_budget(sizes.hidden, device)
    if device.type == "cuda" and not method.changes_weights:
        return max(row, budget)
    return max(row, min(budget, lanes * cell.budget.batch_size * row))


def default_token_budget(hidden: int, device: torch.device) -> int:
    """Tokens per micro-batch: on a CPU what keeps activations near the caches, on a GPU what keeps it busy.

    A GPU's micro-batches have fixed shapes (bench.data.cutting), and what fills them up is paid for: a lane alone has
    few rows of a length. So larger models, whose arithmetic fills the device sooner, have smaller ones.
    """
    if device.type == "cuda":
        return min(8192, max(1024, 1 << (6_300_000 // max(1, hidden)).bit_length() - 1))
    return max(512, 600_000 // max(1, hidden))


@cache
def model_sizes(model: ModelSource) -> Sizes | None:
    """From the checkpoint's headers and its config, or for a model of a scale family from its list; None if unknown."""
    whole = read_config(model)
    family, config = family_of(whole), reading_part(whole)
    shapes = weight_shapes(model)
    if shapes is not None:
        counts = list(map(math.prod, shapes.values()))
        parameters, largest = sum(counts), max(counts, default=0)
        matrices = sum(math.prod(shape) for name, shape in shapes.items() if _is_matrix(name, shape, config))
    else:
        parameters, matrices, largest = listed_size(model.path) or 0, 0, 0
        if not parameters:
            return None
    hidden = _first(config, "hidden_size", "d_model", "n_embd", "dim")
    return Sizes(
        parameters=parameters,
        matrices=matrices,
        layers=model.layers + (_decoder_layers(whole) if family.decoder and not family.sentinel else 0),
        hidden=hidden,
        inner=_first(config, *INNER) or 4 * hidden,
        # families with grouped heads have gated feed-forward parts too
        gated="num_key_value_heads" in config or str(config.get("feed_forward_proj")).startswith("gated"),
        heads=_first(config, "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
        largest=largest,
    )


def _is_matrix(name: str, shape: tuple[int, ...], config: Mapping[str, Any]) -> bool:
    """Whether a tensor is the weight of an nn.Linear; GPT-2 has another class in its place, which stays fp32."""
    tables = ("embeddings", "embedding.", "embed_", "wte", "wpe", "shared.weight", "relative_attention_bias")
    others = (".experts.", ".gate.weight")  # a layer's experts and what chooses them are tensors of their own
    linear = ("embed_out", "embeddings_project", "embedding_transformation")  # called after what they stand beside
    embeds = any(part in name.lower() for part in tables + others) and not any(part in name for part in linear)
    return len(shape) == 2 and name.endswith("weight") and not embeds and config.get("model_type") != "gpt2"


def _decoder_layers(config: Mapping[str, Any]) -> int:
    part = config.get("decoder")
    return _first(part, "num_hidden_layers") if isinstance(part, Mapping) else _first(config, "decoder_layers")


def _first(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)


def available_bytes(device: torch.device) -> int:
    """Memory that can still be had: of a GPU with what torch holds unused, of the machine within its cgroup's limit."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min([_machine_bytes(), *_cgroup_bytes()])


def _machine_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cgroup_bytes(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What is left of each memory limit above this process (cgroups v1 and v2); file caches count as free."""
    try:
        entries = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    left: list[int] = []
    for _, controllers, path in entries:
        if controllers not in ("", "memory"):
            continue
        limit_name, used_name = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else (
            "memory.max", "memory.current")  # fmt: skip
        top = root / controllers
        folder = top / path.strip("/")
        for place in (folder, *(parent for parent in folder.parents if parent == top or top in parent.parents)):
            try:
                limit, used = int((place / limit_name).read_text()), int((place / used_name).read_text())
                stat = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # no such level, or "max"
                continue
            caches = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
            left.append(max(0, limit - used + caches))
    return left
