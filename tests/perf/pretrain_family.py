"""Pretrains BERT of five sizes as masked LMs on one text, for a comparison across the sizes of one family.

    python -m tests.perf.pretrain_family encode --text wikipedia.txt.gz --tokenizer DIR --out FAMILY
    python -m tests.perf.pretrain_family train --tokenizer DIR --out FAMILY --size medium
    python -m tests.perf.pretrain_family draw --out FAMILY

The sizes are those of Turc et al. (2019, arXiv:1908.08962). All see the same rows in the same order: 240 million tokens
in rows of 128 (see tests/perf/family_text.py), 15 % of them masked one by one and not by whole words, without dropout.
bf16 autocast over fp32 weights, compiled layers, fused AdamW. `base` begins with 3 layers (tests/perf/family_sizes.py).
A size takes 1 to 7 minutes on an H100 or H200.

`train` writes FAMILY/SIZE, a checkpoint with bf16 weights on disk, and FAMILY/SIZE.csv: per measurement step, tokens,
mean training loss since the last, loss on held-out articles (nats a masked token, always the same rows and masks),
seconds. Called again it goes on where it stopped (`--minutes` stops it); the state lies in FAMILY/SIZE.state. A GPU's
kernels have a fixed order, so that weights which were lost can be made again, to the bit, on a GPU of the same kind
with the same torch; the sum of the weights' file is printed for that.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoTokenizer, BertForMaskedLM

from bench.model.determinism import deterministic
from tests.perf.family_sizes import SIZES, Size, stack
from tests.perf.family_text import LENGTH, Batch, Marks, Rows, divided, encode

BATCH_SIZE = 128
TOKENS = 240_000_000
WARMUP = 0.06  # of the steps
STILL = 0.3  # of the steps, in which no row is moved
WAVE = 0.03  # height of the waves that position embeddings begin as; words have a deviation of 0.02
MEASURED = 40  # times
HELD_OUT_BATCHES = 16
FIRST_STEPS = 3  # of a model, before a step is captured
AFTER_GROWTH = 200  # steps in which the rate comes back up
# of torch's compiler: nothing is chosen by its time; bench.model.compiled has more, which round as uncompiled layers do
FIXED = {"deterministic": True, "shape_padding": False}
COLUMNS = ("step", "tokens", "train_loss", "held_out_loss", "seconds")


class Captured:
    """A step that a GPU repeats as a whole: small models are otherwise bound by the starts of their kernels."""

    def __init__(self, follow: Callable[[Batch], Tensor], batch: Batch) -> None:
        self.batch = Batch(*(value.clone() for value in vars(batch).values()))
        self.graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(self.graph):
            self.loss = follow(self.batch)

    def replay(self, batch: Batch) -> Tensor:
        for here, given in zip(vars(self.batch).values(), vars(batch).values(), strict=True):
            here.copy_(given)
        self.graph.replay()
        return self.loss.clone()


class Pretraining:
    """One size while it trains. All that is random follows from the seed and the step."""

    def __init__(self, size: Size, rows: Rows, held_out: Rows, num_steps: int, seed: int) -> None:
        self.size, self.rows, self.held_out, self.num_steps = size, rows, held_out, num_steps
        torch.manual_seed(seed)
        self.device = rows.ids.device
        self.learning_rate = torch.zeros((), device=self.device)  # a tensor, so that a captured step can read it
        self.step = self.begun = 0
        self._begin(size.layers_at(0, num_steps))
        self._begin_with_waves()

    def _begin(self, num_layers: int) -> None:
        """A model of so many layers, new, with an optimizer that has seen nothing."""
        self.model = BertForMaskedLM(self.size.config(self.rows.marks.size, num_layers)).to(self.device)
        decayed = [value for value in self.model.parameters() if value.ndim > 1]
        others = [value for value in self.model.parameters() if value.ndim < 2]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            groups, lr=self.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True, capturable=on_gpu
        )
        self.since_start = 0
        self.captured: Captured | None = None
        if on_gpu:
            for layer in self.model.bert.encoder.layer:
                layer.compile(dynamic=False, options=FIXED)

    def _grow_at_its_time(self) -> None:
        num_layers = self.size.layers_at(self.step, self.num_steps)
        if num_layers != self.model.config.num_hidden_layers:
            lower, self.captured, self.begun = self.model, None, self.step
            self._begin(num_layers)
            stack(lower, self.model)

    @torch.no_grad()
    def _begin_with_waves(self) -> None:
        """Positions begin as Vaswani et al. (2017, section 3.5) have them, so that a neighbour is found alike at each.

        From random ones attention to neighbours is learnt late: at 11M parameters after 2,200 steps instead of 800.
        """
        weight = self.model.bert.embeddings.position_embeddings.weight
        at, width = (torch.arange(size, device=self.device) for size in weight.shape)
        angles = at[:, None] / 10_000 ** ((width // 2 * 2) / len(width))
        weight.copy_(WAVE * torch.where(width % 2 == 0, angles.sin(), angles.cos()))

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy (nats) over the masked tokens; only they pass through the output layer."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            bert = self.model.bert  # by its parts: as a whole it makes a mask, of ones, while a step is captured
            words = bert.embeddings(input_ids=batch.ids, token_type_ids=batch.types, position_ids=batch.positions)
            states = bert.encoder(words).last_hidden_state
            rows = torch.arange(len(batch.at), device=self.device)[:, None]
            scores = self.model.cls(states[rows, batch.at].flatten(0, 1))
        return torch.nn.functional.cross_entropy(scores.float(), batch.wanted.flatten())

    def rate(self, step: int) -> float:
        """Up in a straight line, then down to zero in one; up anew where the model has just grown."""
        warmup = max(1, round(WARMUP * self.num_steps))
        of_peak = min((step + 1) / warmup, (self.num_steps - step) / max(1, self.num_steps - warmup))
        again = min(1.0, (step - self.begun + 1) / AFTER_GROWTH) if self.begun else 1.0
        return self.size.rate_of(self.model.config.num_hidden_layers) * of_peak * again

    def train_step(self) -> Tensor:
        """One step; its loss, still on the device."""
        self._grow_at_its_time()
        self.learning_rate.fill_(self.rate(self.step))
        batch = self.rows.batch(self.step, BATCH_SIZE)
        with deterministic(self.device):
            if self.captured is None and self.device.type == "cuda" and self.since_start == FIRST_STEPS:
                self.captured = Captured(self.follow, batch)
            loss = self.follow(batch) if self.captured is None else self.captured.replay(batch)
        self.step += 1
        self.since_start += 1
        return loss

    def follow(self, batch: Batch) -> Tensor:
        """Move the weights against the gradients of a batch; its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Of articles that are not trained on."""
        losses = [self.loss(self.held_out.batch(at, BATCH_SIZE)) for at in range(HELD_OUT_BATCHES)]
        return float(torch.stack(losses).mean())

    def save(self, path: Path) -> None:
        """Weights, moments and the step, to go on from."""
        tensors = dict(self._state())
        layers = self.model.config.num_hidden_layers
        numbers = {"step": str(self.step), "begun": str(self.begun), "layers": str(layers)}
        aside = path.with_suffix(".partial")
        save_file({name: value.contiguous() for name, value in tensors.items()}, aside, numbers)
        aside.replace(path)

    def restore(self, path: Path) -> None:
        """What `save` wrote."""
        with safe_open(path, "pt", str(self.device)) as file, torch.no_grad():
            numbers = file.metadata()
            self.step, self.begun = int(numbers["step"]), int(numbers["begun"])
            self._begin(int(numbers["layers"]))
            for value in self.model.parameters():  # moments are there once a step has been taken
                value.grad = torch.zeros_like(value)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            for name, value in self._state():
                value.copy_(file.get_tensor(name))

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        for name, value in self.model.named_parameters():
            yield name, value.detach()
            for key, moment in self.optimizer.state[value].items():
                yield f"{name}|{key}", moment


def train(chosen: argparse.Namespace) -> None:
    """Pretrain one size until its tokens, or the minutes, are over."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = AutoTokenizer.from_pretrained(chosen.tokenizer)
    marks = Marks(tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id, len(tokenizer))
    num_steps = chosen.tokens // (BATCH_SIZE * LENGTH)
    ids, ids_held_out = divided(chosen.out / "tokens.npy", device)
    learnt = Rows(ids, marks, chosen.seed, moved_from=round(STILL * num_steps))
    held_out = Rows(ids_held_out, marks, chosen.seed)
    run = Pretraining(SIZES[chosen.size], learnt, held_out, num_steps, chosen.seed)
    state, log = chosen.out / f"{chosen.size}.state", chosen.out / f"{chosen.size}.csv"
    before = 0.0
    if state.is_file():
        run.restore(state)
        before = float(_measured(log)[-1]["seconds"])
    else:
        log.write_text(",".join(COLUMNS) + "\n")
    begun, losses = time.perf_counter(), torch.zeros((), device=device)
    every = max(1, num_steps // MEASURED)
    while run.step < num_steps:
        losses += run.train_step()
        if run.step % every == 0 or run.step == num_steps:
            seconds = before + time.perf_counter() - begun
            since = run.step % every or every
            row = (run.step, run.step * BATCH_SIZE * LENGTH, float(losses) / since, run.held_out_loss(), seconds)
            losses.zero_()
            line = ",".join(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row)
            print(f"{chosen.size} {line}", flush=True)
            with log.open("a") as file:
                file.write(line + "\n")
            if chosen.minutes and seconds - before > 60 * chosen.minutes:
                run.save(state)
                return
    _write_checkpoint(run.model, tokenizer, chosen.out / chosen.size)
    state.unlink(missing_ok=True)


def _measured(log: Path) -> list[dict[str, Any]]:
    with log.open() as file:
        return list(csv.DictReader(file))


def _write_checkpoint(model: BertForMaskedLM, tokenizer: Any, folder: Path) -> None:
    """bf16 on disk to be small, fp32 once loaded, with BERT's usual dropout for those who turn it on."""
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.1
    model.bfloat16().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "float32"}, indent=2, sort_keys=True) + "\n")
    weights = folder / "model.safetensors"
    print(f"{hashlib.sha256(weights.read_bytes()).hexdigest()}  {weights}", flush=True)


def draw(folder: Path) -> None:
    """FAMILY/losses.svg: loss on held-out articles against tokens, a line per size."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "family"  # the same file each time
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for name in SIZES:
        if (folder / f"{name}.csv").is_file():
            rows = _measured(folder / f"{name}.csv")
            axes.plot(
                [int(row["tokens"]) / 1e6 for row in rows], [float(row["held_out_loss"]) for row in rows], label=name
            )
    axes.set(xlabel="tokens (millions)", ylabel="held-out loss (nats a masked token)")
    axes.legend()
    figure.savefig(folder / "losses.svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("encode", "train", "draw"))
    parser.add_argument("--out", type=Path, required=True, help="the family's folder")
    parser.add_argument("--text", type=Path, help="articles, a blank line after each")
    parser.add_argument("--tokenizer", type=Path, help="folder of a BERT tokenizer")
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--minutes", type=float, help="stop after so many, to go on later")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.command == "encode":
        tokenizer = Tokenizer.from_file(str(chosen.tokenizer / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        print(f"{encode(chosen.text, tokenizer, chosen.out / 'tokens.npy'):,} tokens")
    elif chosen.command == "train":
        train(chosen)
    else:
        draw(chosen.out)


if __name__ == "__main__":
    main()
